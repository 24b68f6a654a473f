"""Catalog of the models of the package: one folder each, with the INT8 file and its card."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from search_spaces import InputError, zoo
from search_spaces.naming import unknown

from ..evaluation.model_card import ModelCard, read_card

MODELS = Path(__file__).parent / "models"
_CARD, _TFLITE = "card.json", "model.tflite"
_NAME = re.compile(r"[a-z0-9]+([.-][a-z0-9]+)*")


@dataclass(frozen=True)
class ShippedModel:
    """A trained model: its INT8 file and its card."""

    name: str
    path: Path
    card: ModelCard = field(repr=False)


@dataclass(frozen=True)
class Catalog:
    """The models in a folder."""

    folder: Path

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the models, in alphabetical order."""
        cards = self.folder.glob(f"*/{_CARD}")
        return tuple(sorted(card.parent.name for card in cards if is_name(card.parent.name)))

    def models(self) -> tuple[ShippedModel, ...]:
        """Returns all models, sorted by name; InputError if a card is damaged."""
        return tuple(map(self.find, self.names))

    def find(self, name: str) -> ShippedModel:
        """Returns the model ``name``; InputError, listing the known names, if there is none."""
        if name not in self.names:
            known = ", ".join(self.names) or "none"
            message = unknown("model", name, self.names)
            raise InputError(f"{message}; those that come with nas: {known}")
        folder = self.folder / name
        return ShippedModel(name, folder / _TFLITE, read_card(folder / _CARD))


def is_name(word: str) -> bool:
    """Returns whether ``word`` is a valid name: lower-case letters, digits, dots and hyphens."""
    return _NAME.fullmatch(word) is not None


def shipped() -> Catalog:
    """Returns the catalog of the models that come with the package."""
    return Catalog(MODELS)


def is_shipped(word: str) -> bool:
    """Returns whether ``word`` is the name of a model that comes with the package."""
    return word in shipped().names


def file_of(model: str | Path) -> Path:
    """Returns the path of the TFLite file ``model``: the name of a shipped model, or a path.

    Raises InputError if a word without a suffix is neither.
    """
    if isinstance(model, str) and is_shipped(model):
        return shipped().find(model).path
    path = Path(model)
    if isinstance(model, str) and not path.suffix and not path.exists():
        if zoo.is_known(model):
            raise InputError(
                f"{model} of the zoo has no trained file; `nas train {model}` makes one"
            )
        known = ", ".join(shipped().names) or "none"
        raise InputError(f"{model!r} is neither a file nor a model that comes with nas: {known}")
    return path
