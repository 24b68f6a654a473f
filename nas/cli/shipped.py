"""``nas models``: lists and writes the trained models that come with the package."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .output import JsonOption, print_json, print_notes, print_table

if TYPE_CHECKING:
    from ..shipped.catalog import ShippedModel

app = typer.Typer(
    help="Trained models that come with nas.", no_args_is_help=True, rich_markup_mode=None
)


@app.command("list")
def list_models(as_json: JsonOption = False) -> None:
    """List the models with their quality and latency.

    Quality is that on test images; scores are relative to ABPN's on the same device.
    """
    from ..api.shipped import models
    from ..quality.metrics import convention

    shipped = models()
    if as_json:
        print_json([_to_json(model, shipped) for model in shipped])
        return
    if not shipped:
        print_notes(["no model comes with this version"])
        return
    scales = sorted({model.card.scale for model in shipped})
    print("INT8 PSNR, dB; " + "; ".join(f"x{scale}: {convention(scale)}" for scale in scales))
    sets = list(dict.fromkeys(test.name for model in shipped for test in model.card.tests))
    rows = [row for model in shipped for row in _rows(model, shipped, sets)]
    print_table(
        ("name", "scale", *sets, "steps", "KB", "device", "score / ABPN's", "latency"), rows
    )


@app.command()
def get(
    name: Annotated[str, typer.Argument(metavar="NAME", help="As `nas models list` names it.")],
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Target folder [NAME].")] = None,
    as_json: JsonOption = False,
) -> None:
    """Write a model, its card, and how to time it.

    The folder is that of `nas export`.
    """
    from ..api.shipped import get_model

    target = out or Path(name)
    written = get_model(name, target)
    if as_json:
        print_json([str(path) for path in written])
        return
    print("\n".join(map(str, written)))
    model = shlex.quote(str(target / "model.tflite"))
    print(f"enlarge a picture: nas upscale {model} IN OUT, or example.py there")
    print(f"time it on a phone or board: the commands in {target}/RUN.md")


def _rows(
    model: ShippedModel, models: tuple[ShippedModel, ...], sets: list[str]
) -> Iterator[tuple[str, ...]]:
    """Yields a row for each device; only the first row has the columns of the model itself."""
    card = model.card
    psnr_db = {test.name: f"{test.quality.psnr_db:.2f}" for test in card.tests}
    model_cells = (
        model.name, str(card.scale), *(psnr_db.get(name, "-") for name in sets),
        f"{card.training['steps']:,}" if "steps" in card.training else "-",
        "-" if card.tflite_kb is None else f"{card.tflite_kb:.0f}",
    )  # fmt: skip
    for time in card.times:
        ratio = _score_ratio(model, models, time.device)
        score = "-" if ratio is None else f"{ratio:.2f}"
        yield (*model_cells, time.device, score, time.latency.text)
        model_cells = ("",) * len(model_cells)


def _score_ratio(
    model: ShippedModel, models: tuple[ShippedModel, ...], device: str
) -> float | None:
    """Returns the model's score on ``device`` relative to ABPN's; None if it is unknown."""
    from ..shipped.comparison import ratio_to, reference_of

    reference = reference_of(model, models)
    return None if reference is None else ratio_to(reference.card, model.card, device)


def _to_json(model: ShippedModel, models: tuple[ShippedModel, ...]) -> dict[str, Any]:
    from ..quality.metrics import convention

    card = model.card
    return {
        "name": model.name,
        "path": str(model.path),
        "scale": card.scale,
        "input": str(card.input),
        "tests": [test.to_json() for test in card.tests],
        "convention": convention(card.scale),
        "steps": card.training.get("steps"),
        "tflite_kb": card.tflite_kb,
        "images_license": card.images_license,
        "times": [
            {
                "device": time.device,
                "ms": time.latency.ms,
                "low_ms": time.latency.low_ms,
                "high_ms": time.latency.high_ms,
                "source": time.latency.source,
                "score_to_abpn": _score_ratio(model, models, time.device),
            }
            for time in card.times
        ],
    }
