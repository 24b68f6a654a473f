"""``nas quality``: what to expect of networks that nobody has trained."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from .output import JsonOption, print_json
from .searching import StorageOption

app = typer.Typer(
    help="What a network may reach, before any training.",
    no_args_is_help=True, rich_markup_mode=None,
)  # fmt: skip


@app.callback()
def quality() -> None:
    """What a network may reach, before any training."""


@app.command()
def predict(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help="STUDY#TRIAL, a network of the zoo or of `nas models list`, or FILE.json.",
        ),
    ],
    scale: Annotated[int, typer.Option(min=2, max=4, help="Of a network of the zoo.")] = 3,
    storage: StorageOption = None,
    as_json: JsonOption = False,
) -> None:
    """INT8 PSNR with its interval, by the networks that come with the package, on their images."""
    from ..latency.model_reference import find_network
    from ..quality_model.prediction import predict_quality

    network = find_network(model, scale, storage)
    found = predict_quality(network.candidate)
    if as_json:
        print_json({"network": network.name, **asdict(found)})
        return
    print(f"{network.name}: {found.short.text} INT8 after {found.steps} steps, by prediction")
    print(
        f"{found.full.text} expected after a full training; bicubic {found.bicubic_psnr_db:.2f} dB"
    )
    print(
        f"the {found.networks} networks known settle {found.familiarity:.0%} of what networks "
        "differ by"
    )
    if found.unusual:
        print(f"beyond what they are like: {', '.join(found.unusual)}")
