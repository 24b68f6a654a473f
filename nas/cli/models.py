"""Commands about single models: train, evaluate, upscale."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..choices import Quantization
from .output import JsonOption, print_json, print_table

if TYPE_CHECKING:
    from latency_models import Worker

    from ..networks.inference import TfliteUpscaler
    from ..networks.training import Progress

ModelPath = Annotated[Path, typer.Argument(metavar="MODEL.tflite", help="An INT8 model.")]


def register(app: typer.Typer) -> None:
    """Adds the commands of this module."""
    for command in (train, evaluate, upscale):
        app.command()(command)


def train(
    what: Annotated[
        str, typer.Argument(metavar="STUDY#TRIAL|ZOO-NAME|GRAPH.json", help="What to train.")
    ],
    data: Annotated[str, typer.Option(help="Folder of photos, or 'embedded'.")] = "embedded",
    steps: Annotated[
        int, typer.Option(min=10, help="Gradient steps, INT8 ones included.")
    ] = 100000,
    scale: Annotated[int, typer.Option(min=2, max=4, help="Of a zoo network.")] = 3,
    batch: Annotated[int, typer.Option(min=1, max=256, help="Crops a step.")] = 16,
    patch: Annotated[int, typer.Option(min=8, max=256, help="Side of an LR crop, pixels.")] = 32,
    quantize: Annotated[Quantization, typer.Option(help="INT8 in or after training.")] = (
        Quantization.QAT
    ),
    device: Annotated[
        str, typer.Option(help="Decides the model's input size and weight scales.")
    ] = "ethos-u85-1024",
    test: Annotated[
        list[Path] | None, typer.Option(help="Folder of test images; may be repeated.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    out: Annotated[Path | None, typer.Option(help="Folder for the results [trained/NAME].")] = None,
    as_json: JsonOption = False,
) -> None:
    """Train one architecture at length; the same command goes on from its checkpoint."""
    from latency_models.device import load_device

    from ..cores import has_bfloat16
    from ..images.data import load_data, load_images
    from ..long_training import LongTraining, find_graph
    from ..networks.recipe import Recipe

    name, graph = find_graph(what, scale)
    target = load_device(device)
    tests = [(path, load_images(path, graph.scale)) for path in test or []]
    images = load_data(data, graph.scale)

    training = LongTraining(
        name=name,
        graph=graph,
        data=images,
        recipe=Recipe(steps, batch, patch, quantization=quantize, bfloat16=has_bfloat16()),
        device=target,
        seed=seed,
        folder=out or Path("trained") / name,
    )
    try:
        developed = training.run(_TrainingReporter().observe)
    except KeyboardInterrupt:
        print("interrupted; the same command goes on from its checkpoint", file=sys.stderr)
        raise typer.Exit(130) from None
    rows = [("validation", developed.quality, developed.float_quality)]
    rows += [(str(path), *training.test(developed, images)) for path, images in tests]
    if as_json:
        print_json(
            [
                {
                    "data": label,
                    "psnr_db": int8.psnr_db,
                    "psnr_float_db": plain.psnr_db,
                    "drop_db": plain.psnr_db - int8.psnr_db,
                    "ssim": int8.ssim,
                    "ssim_float": plain.ssim,
                }
                for label, int8, plain in rows
            ]
        )
        return
    print_table(
        ("images", "PSNR INT8", "PSNR FP32", "drop", "SSIM INT8", "SSIM FP32"),
        [
            (
                label, f"{int8.psnr_db:.3f}", f"{plain.psnr_db:.3f}",
                f"{plain.psnr_db - int8.psnr_db:+.3f}", f"{int8.ssim:.4f}", f"{plain.ssim:.4f}",
            )
            for label, int8, plain in rows
        ],
    )  # fmt: skip
    print(f"model, weights and card: {training.folder}")


class _TrainingReporter:
    """A line now and then: how far, how well, how long still."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._first: int | None = None
        self._drawn = 0.0
        self._live = sys.stderr.isatty()

    def observe(self, progress: Progress) -> None:
        now = time.monotonic()
        self._first = progress.step if self._first is None else self._first
        if now - self._drawn < (0.5 if self._live else 10.0):
            return
        self._drawn = now
        text = f"{progress.phase} step {progress.step}/{progress.steps}, L1 {progress.loss:.3f}"
        done = progress.step - self._first
        if done > 0 and progress.phase == "float":
            from ..studies.budget import format_seconds

            left = (now - self._started) / done * (progress.steps - progress.step)
            text += f", about {format_seconds(left)} to the last step"
        print(f"\r\x1b[2K{text}" if self._live else text, end="" if self._live else "\n",
              file=sys.stderr, flush=True)  # fmt: skip


def evaluate(
    model: ModelPath,
    data: Annotated[str, typer.Option(help="Folder of HR photos, or 'embedded'.")] = "embedded",
    as_json: JsonOption = False,
) -> None:
    """PSNR and SSIM of an INT8 model, image by image."""
    from latency_models.worker import Worker

    from ..images.data import load_validation
    from ..images.quality import evaluate as judge

    with Worker() as worker:
        upscaler = _open(model, worker)
        quality = judge(upscaler.upscale, load_validation(data, upscaler.scale))
    if as_json:
        print_json(
            {
                "psnr_db": quality.psnr_db,
                "ssim": quality.ssim,
                "images": [vars(image) for image in quality.images],
            }
        )
        return
    rows = [(i.name, f"{i.psnr_db:.3f}", f"{i.ssim:.4f}") for i in quality.images]
    print_table(
        ("image", "PSNR dB", "SSIM"),
        [*rows, ("mean", f"{quality.psnr_db:.3f}", f"{quality.ssim:.4f}")],
    )


def upscale(
    model: ModelPath,
    source: Annotated[Path, typer.Argument(metavar="IN", help="An image of any size.")],
    target: Annotated[Path, typer.Argument(metavar="OUT", help="PNG, JPEG, WebP, BMP or TIFF.")],
) -> None:
    """Enlarge an image with an INT8 model."""
    from latency_models.worker import Worker

    from ..images.data import image_format, read_rgb, write_image

    image_format(target)
    pixels = read_rgb(source)
    with Worker() as worker:
        enlarged = _open(model, worker).upscale(pixels)
    write_image(target, enlarged)
    print(f"{target}: {enlarged.shape[1]}x{enlarged.shape[0]}")


def _open(model: Path, worker: Worker) -> TfliteUpscaler:
    from ..cores import Cores
    from ..files import reading
    from ..networks.inference import TfliteUpscaler

    with reading(model):
        return TfliteUpscaler(model.read_bytes(), worker, Cores.available().count)
