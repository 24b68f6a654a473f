"""Commands for a single model: train, evaluate."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..choices import Loss, Quantization, RecipeName
from ..training.recipe import BOUNDS
from .output import JsonOption, print_json, print_notes, print_table
from .progress import TrainingReporter
from .searching import StorageOption

if TYPE_CHECKING:
    from ..data.images import ImageSet
    from ..quality.image_quality import ImageQuality, Quality

ModelArgument = Annotated[
    str, typer.Argument(metavar="MODEL", help="An INT8 file, or a model of `nas models list`.")
]


def register(app: typer.Typer) -> None:
    """Adds the commands of this module."""
    for command in (train, evaluate):
        app.command()(command)


def train(
    what: Annotated[
        str,
        typer.Argument(
            metavar="STUDY#TRIAL|NAME|GRAPH.json",
            help="What to train; a name is of the zoo or of `nas models list`.",
        ),
    ],
    data: Annotated[str, typer.Option(help="Folder of photos, or 'embedded'.")] = "embedded",
    recipe: Annotated[
        RecipeName,
        typer.Option(help="full: 200000 steps, smaller copies too; proxy: 250, as a search."),
    ] = RecipeName.FULL,
    steps: Annotated[
        int | None,
        typer.Option(
            min=BOUNDS["steps"][0], help="Gradient steps in floating point [the recipe's]."
        ),
    ] = None,
    scale: Annotated[
        int, typer.Option(min=2, max=4, help="Upscaling factor of a zoo network.")
    ] = 3,
    batch: Annotated[
        int | None,
        typer.Option(
            min=BOUNDS["batch"][0], max=BOUNDS["batch"][1], help="Crops a step [the recipe's]."
        ),
    ] = None,
    patch: Annotated[
        int | None,
        typer.Option(
            min=BOUNDS["patch"][0],
            max=BOUNDS["patch"][1],
            help="Side of an LR crop, pixels [the recipe's].",
        ),
    ] = None,
    loss: Annotated[Loss, typer.Option(help="Loss function.")] = Loss.L1,
    quantize: Annotated[
        Quantization,
        typer.Option(help="auto, qat: INT8 steps as well, and the better file is kept; ptq: none."),
    ] = Quantization.AUTO,
    teacher: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|FILE.tflite",
            help="A better model; training aims halfway between the photos and its images.",
        ),
    ] = None,
    device: Annotated[
        str | None,
        typer.Option(
            help="Decides input size and weight scales; the card has its latency [the study's]."
        ),
    ] = None,
    test: Annotated[
        list[Path] | None, typer.Option(help="Folder of test images; may be repeated.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    out: Annotated[Path | None, typer.Option(help="Folder for the results [trained/NAME].")] = None,
    storage: StorageOption = None,
    as_json: JsonOption = False,
) -> None:
    """Train one architecture at full length.

    The same command resumes from the last checkpoint.
    """
    from ..api.training import train as train_at_length
    from ..data.named_sets import VALIDATION
    from ..quality.metrics import METRICS, convention
    from ..quality.notes import notes, skipped_as_json

    reporter = TrainingReporter()
    try:
        outcome = train_at_length(
            what,
            data,
            recipe=recipe,
            steps=steps,
            scale=scale,
            batch=batch,
            patch=patch,
            loss=loss,
            quantize=quantize,
            teacher=teacher,
            device=device,
            test=test or (),
            seed=seed,
            folder=out,
            storage=storage,
            observer=reporter,
        )
    except KeyboardInterrupt:
        reporter.close()
        print("interrupted; the same command goes on from its checkpoint", file=sys.stderr)
        raise typer.Exit(130) from None
    reporter.close()
    if outcome.was_finished:
        print(f"{outcome.folder}: this training is finished, nothing to do", file=sys.stderr)
    if outcome.study is not None:
        name = outcome.study.name
        print(f"study {name}: expectations know this training from now on", file=sys.stderr)
    judged, sets = outcome.figures, outcome.images
    if as_json:
        print_json(
            [
                {
                    "data": label,
                    **quality.to_json(),
                    "images": len(sets[label].pairs),
                    "skipped": skipped_as_json(sets[label].skipped),
                }
                for label, quality in judged.items()
            ]
        )
        return
    print(f"{convention(outcome.training.candidate.graph.scale)}:")
    kinds = [f"{metric.name} {kind}" for kind in ("INT8", "FP32") for metric in METRICS]
    print_table(
        ("images", *kinds, "drop"),
        [
            (label, *q.int8.texts(), *q.float32.texts(), f"{q.drop_db:+.3f}")
            for label, q in judged.items()
        ],
    )
    print_notes(notes({name: images for name, images in sets.items() if name != VALIDATION}))
    print(f"model, weights and card: {outcome.folder}")


def evaluate(
    model: ModelArgument,
    data: Annotated[str, typer.Option(help="Folder of HR photos, or 'embedded'.")] = "embedded",
    luma: Annotated[
        bool, typer.Option("--luma", help="PSNR and SSIM of the Y channel too, as in papers.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Measure PSNR and SSIM of an INT8 model, image by image."""
    from ..evaluation.file_quality import judge_file
    from ..quality.metrics import METRICS, convention
    from ..quality.notes import cautions, origin
    from ..shipped.catalog import file_of

    judged = judge_file(file_of(model), data, luma=luma)
    quality, images = judged.quality, judged.images
    if as_json:
        print_json(_as_json(quality, images))
        return
    print(f"{origin(images)}; {convention(images.scale)}:")
    headings = [metric.heading for metric in METRICS]
    rows = [(i.name, i.rgb, i.luma) for i in quality.images]
    rows.append(("mean", quality.rgb, quality.luma))
    print_table(
        ("image", *headings, *(f"Y {heading}" for heading in headings if luma)),
        [(name, *rgb.texts(), *(y.texts() if y else ())) for name, rgb, y in rows],
    )
    print_notes(cautions(images))


def _as_json(quality: Quality, images: ImageSet) -> dict[str, Any]:
    from ..quality.metrics import convention
    from ..quality.notes import lr_origin, skipped_as_json

    def figures(one: Quality | ImageQuality) -> dict[str, Any]:
        luma = {"luma": one.luma.to_json()} if one.luma else {}
        return {**one.rgb.to_json(), **luma}

    return {
        **figures(quality),
        "images": [{"name": image.name, **figures(image)} for image in quality.images],
        "skipped": skipped_as_json(quality.skipped),
        "convention": convention(images.scale),
        "lr": lr_origin(images),
    }
