"""The models that come with the package."""

from __future__ import annotations

from pathlib import Path

from ..exporting.shipped import write_shipped
from ..shipped.catalog import ShippedModel, shipped


def models() -> tuple[ShippedModel, ...]:
    """The trained models that come with the package, by name.

    ``path`` of each is its INT8 TFLite file, ``card`` what is known of it: ``card.tests`` the PSNR
    in dB and SSIM on test images, ``card.times`` the time on devices in ms. Its name goes wherever
    a model is asked for.

    Raises InputError if a card is damaged.

    Example::

        for model in nas.models():
            print(model.name, model.card.scale, [test.quality.psnr_db for test in model.card.tests])
    """
    return shipped().models()


def get_model(name: str, to: str | Path) -> tuple[Path, ...]:
    """Writes a folder with a shipped model, its card and how to run it, and returns the files.

    The model is there with int8 and with uint8 at both ends. An earlier export in the folder is
    replaced.

    Raises InputError for an unknown name, and lists the known ones, or if the folder holds other
    files.

    Example::

        nas.get_model(nas.models()[0].name, "for-the-phone")
    """
    return write_shipped(shipped().find(name), Path(to))
