"""The models that come with the package."""

from __future__ import annotations

from pathlib import Path

from ..exporting.shipped import write_shipped
from ..shipped.catalog import ShippedModel, shipped


def models() -> tuple[ShippedModel, ...]:
    """Returns the trained models that come with the package, sorted by name.

    ``path`` of each is its INT8 TFLite file, and ``card`` describes it: ``card.tests`` has PSNR in
    dB and SSIM on test images, ``card.times`` the time on devices in ms. Every function that takes
    a model accepts its name.

    Raises InputError if a card is damaged.

    Example::

        for model in nas.models():
            print(model.name, model.card.scale, [test.quality.psnr_db for test in model.card.tests])
    """
    return shipped().models()


def get_model(name: str, to: str | Path) -> tuple[Path, ...]:
    """Writes a folder with a shipped model, its card and how to run it; returns the files.

    The model is written twice: with int8 and with uint8 input and output. An earlier export in the
    folder is replaced.

    Raises InputError for an unknown name, listing the known ones, or if the folder holds other
    files.

    Example::

        nas.get_model(nas.models()[0].name, "for-the-phone")
    """
    return write_shipped(shipped().find(name), Path(to))
