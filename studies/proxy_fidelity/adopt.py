"""Adds networks that searches found and ``nas train`` trained in full to the table.

    python -m studies.proxy_fidelity.adopt FOLDER...

``FOLDER`` was written by ``nas train --recipe proxy --steps 10000``. Each network becomes an
architecture ``found-NN`` with its full training; ``studies.proxy_fidelity.run --only found-NN``
adds the short trainings.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from nas.choices import RecipeName
from nas.evaluation.evaluator import StageSeconds
from nas.evaluation.model_card import ModelCard, read_card
from nas.quality_model.training_table import read_conditions
from nas.training.recipe import recipe_named
from search_spaces import InputError

from .rows import LONG, TRAININGS
from .run import SCALE, keep_architectures, kept_architectures, training_of

#: Keys of a card's training that must be the same as in all trainings of the table.
_RECIPE = ("steps", "batch", "patch")


def adopt(folder: Path) -> str | None:
    """Adds a network; returns its new name, or None if the table has the network already."""
    card = read_card(folder / "card.json")
    _require_same_conditions(card, folder)
    kept = kept_architectures()
    if card.candidate.hash in {candidate.hash for candidate in kept.values()}:
        return None
    name = f"found-{sum(name.startswith('found') for name in kept):02d}"
    keep_architectures({**kept, name: card.candidate})
    row = training_of(name, card.candidate, LONG)
    quality = card.quality
    TRAININGS.keep(
        replace(
            row,
            psnr_db=quality.psnr_db,
            psnr_float_db=quality.float32.psnr_db,
            seconds=StageSeconds(**card.seconds).total,
        )
    )
    return name


def _require_same_conditions(card: ModelCard, folder: Path) -> None:
    proxy, conditions = recipe_named(RecipeName.PROXY), read_conditions()
    images = f"{conditions.train['fingerprint']}-{conditions.valid['fingerprint']}"
    actual = (card.scale, card.data_fingerprint, *(card.training[key] for key in _RECIPE))
    required = (SCALE, images, LONG, proxy.batch, proxy.patch)
    if actual != required:
        raise InputError(f"{folder}: trained with {actual}, but the table requires {required}")


def main(folders: Sequence[Path]) -> None:
    """Adds the networks of all folders."""
    for folder in folders:
        print(folder, adopt(folder) or "is already in the table")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", type=Path, nargs="+")
    main(parser.parse_args().folders)
