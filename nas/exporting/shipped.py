"""Writes a shipped model as an export folder."""

from __future__ import annotations

from dataclasses import replace
from importlib.resources import files
from pathlib import Path

from latency_models.device import find_device

from ..evaluation.model_card import SIGNED, UNSIGNED, ModelFile
from ..shipped.catalog import ShippedModel
from ..system.files import json_text
from .contents import KERAS, other_files
from .folder import require_free, require_writable, write_folder
from .instructions import instructions
from .unsigned import with_unsigned_ends

#: files of other exports that are not available here: the package has no floating-point weights
_ABSENT_FILES = (KERAS, "weights.npz")


def write_shipped(model: ShippedModel, target: Path) -> tuple[Path, ...]:
    """Writes the models, the card, commands and an example; returns the paths of all files.

    An earlier export in ``target`` is replaced; InputError if ``target`` holds other files.
    """
    require_free(target)
    require_writable(target)
    tflite, card = model.path.read_bytes(), model.card
    quality = card.quality.int8
    signed = ModelFile(f"int8_{card.input}.tflite", card.input, SIGNED, quality)
    # Both files compute the same bytes in between, so that their quality is equal.
    unsigned = ModelFile(f"uint8_{card.input}.tflite", card.input, UNSIGNED, quality)
    card = replace(card, files=(signed, unsigned))
    device = None if card.device is None else find_device(card.device, card.device)
    texts = {
        "card.json": json_text(card.to_json(), indent=1) + "\n",
        "card.md": f"{card.to_markdown()}\n{other_files(_ABSENT_FILES)}\n",
        "RUN.md": instructions(card.files, device),
        "example.py": files(__package__).joinpath("example.py").read_text(encoding="utf-8"),
    }
    content = {
        signed.file: tflite,
        unsigned.file: with_unsigned_ends(tflite),
        "model.tflite": tflite,
        **{name: text.encode() for name, text in texts.items()},
    }
    return tuple(write_folder(target, content))
