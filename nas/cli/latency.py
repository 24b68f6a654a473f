"""``nas latency``: lists devices, and predicts and measures latencies."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from search_spaces.naming import shortened

from . import latency_building, latency_device, latency_probe
from .output import JsonOption, print_json, print_table

if TYPE_CHECKING:
    from latency_models import Latency

    from ..latency.verification import Agreement

app = typer.Typer(
    help="How long a model takes on a device.", no_args_is_help=True, rich_markup_mode=None
)
latency_probe.register(app)
latency_building.register(app)
latency_device.register(app)
Model = Annotated[
    str,
    typer.Argument(
        metavar="MODEL",
        help="A TFLite file, STUDY#TRIAL, GRAPH.json, a name of the zoo or of `nas models list`.",
    ),
]
DeviceOption = Annotated[
    str, typer.Option("--device", help="A device, a device folder, or adb:SERIAL.")
]
InputOption = Annotated[str | None, typer.Option("--input", help="LR size [the device's own].")]
ScaleOption = Annotated[int, typer.Option(min=2, max=4, help="Upscaling factor of a zoo network.")]


@app.command()
def devices(as_json: JsonOption = False) -> None:
    """List the devices, and where their latencies come from."""
    from latency_models.device import device_names, load_device

    known = [load_device(name) for name in device_names()]
    if as_json:
        print_json(
            [
                {
                    "name": device.name, "title": device.title, "source": device.settings.source,
                    "stack": device.stack, "input": str(device.input),
                    "weights": device.weights,
                }
                for device in known
            ]
        )  # fmt: skip
        return
    print_table(
        ("device", "source", "input", "weights per", "stack", "title"),
        [(d.name, d.settings.source, str(d.input), d.weights, d.stack, d.title) for d in known],
    )


@app.command()
def predict(
    model: Model,
    device: DeviceOption,
    input: InputOption = None,
    scale: ScaleOption = 3,
    as_json: JsonOption = False,
) -> None:
    """Predict a latency by the device's compiler or model.

    The times of all operators are shown, too.
    """
    from ..api.latencies import predict_latency

    latency = predict_latency(model, device, input=input, scale=scale)
    _print_latency(model, device, latency, as_json=as_json)


@app.command()
def measure(
    model: Model,
    device: DeviceOption,
    input: InputOption = None,
    scale: ScaleOption = 3,
    log: Annotated[
        Path | None, typer.Option(help="File for the output of a board's tool if it fails.")
    ] = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="First compare its output with this machine's.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Measure the latency on the device itself."""
    from latency_models.device import load_device
    from latency_models.sources.adb import DeviceError

    from ..api.latencies import measure_latency
    from ..latency.query import measure_verified
    from ..system.files import write_whole

    try:
        if verify:
            latency, agreement = measure_verified(model, load_device(device), input, scale)
        else:
            latency, agreement = measure_latency(model, device, input=input, scale=scale), None
    except DeviceError as error:
        if log:
            write_whole(log, error.text.encode())
        raise
    _print_latency(model, device, latency, agreement, as_json=as_json)


def _print_latency(
    model: str, device: str, latency: Latency, agreement: Agreement | None = None, *, as_json: bool
) -> None:
    from latency_models.source import INTERVAL

    if as_json:
        answer = _to_json(device, latency)
        print_json(answer if agreement is None else answer | {"verified": vars(agreement)})
        return
    print(f"{model} on {device}: {_description(latency)}")
    if agreement is not None:
        print(f"verified: its output and this machine's: {agreement.text}")
    print_table(
        ("operator", "kind", "engine", "ms"),
        [(shortened(row.name), row.kind, row.engine, f"{row.ms:.3f}") for row in latency.operators],
    )
    if latency.on_cpu:
        print(f"on the CPU: {', '.join(map(shortened, latency.on_cpu))}")
    for key, value in latency.conditions:
        if key != INTERVAL:
            print(f"{key}: {value}")


def _description(latency: Latency) -> str:
    """Returns the time, its interval, its source, and the meaning of the interval."""
    interval = f"({latency.low_ms:.2f} to {latency.high_ms:.2f})"
    return f"{latency.ms:.2f} ms {interval}, {latency.source}\ninterval: {latency.interval}"


def _to_json(device: str, latency: Latency) -> dict[str, Any]:
    return {
        "device": Path(device).name,
        "source": latency.source,
        "ms": latency.ms,
        "low_ms": latency.low_ms,
        "high_ms": latency.high_ms,
        "operators": [vars(row) for row in latency.operators],
        "on_cpu": list(latency.on_cpu),
        "conditions": dict(latency.conditions),
    }
