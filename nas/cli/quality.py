"""``nas quality``: predicts the PSNR of networks before they are trained."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from .output import JsonOption, print_json
from .searching import StorageOption

app = typer.Typer(
    help="Predict the quality of networks before they are trained.",
    no_args_is_help=True, rich_markup_mode=None,
)  # fmt: skip


@app.callback()
def quality() -> None:
    """Predict the quality of networks before they are trained."""


@app.command()
def predict(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help="STUDY#TRIAL, a network of the zoo or of `nas models list`, or FILE.json.",
        ),
    ],
    scale: Annotated[
        int, typer.Option(min=2, max=4, help="Upscaling factor of a zoo network.")
    ] = 3,
    storage: StorageOption = None,
    as_json: JsonOption = False,
) -> None:
    """Predict the INT8 PSNR after training, with its interval."""
    from ..latency.model_reference import find_network
    from ..quality_model.prediction import predict_quality

    network = find_network(model, scale, storage)
    prediction = predict_quality(network.candidate)
    if as_json:
        print_json({"network": network.name, **asdict(prediction)})
        return
    short, full = prediction.short.text, prediction.full.text
    bicubic = f"{prediction.bicubic_psnr_db:.2f} dB"
    print(f"{network.name}: {short} INT8 after {prediction.steps} steps, by prediction")
    print(f"{full} expected after a full training; bicubic {bicubic}")
    print(
        f"how well networks like it are known: {prediction.familiarity:.0%}, from "
        f"{prediction.networks} that were trained"
    )
    if prediction.unusual:
        print(f"unlike any of these in: {', '.join(prediction.unusual)}")
