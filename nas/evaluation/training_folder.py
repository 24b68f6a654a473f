"""The folder of a full-length training: it belongs to one, from its first step on."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from search_spaces import InputError

from ..system.files import (
    is_left_over,
    json_text,
    read_json,
    require_folder_or_nothing,
    write_json,
)
from ..system.locks import LOCK, alone
from ..training.checkpoint_file import stored_identity

_CARD = "card.json"
#: Says from the start whose the folder is; the card says it of trainings of earlier versions.
_OWNER = "training.json"
#: What the versions before this file left behind when they were cut off.
_CUT_OFF = {"checkpoint.npz", "validation.csv"}


@dataclass(frozen=True)
class TrainingFolder:
    """The folder of one training, which is identified by ``identity``."""

    path: Path
    name: str
    identity: dict[str, Any] = field(repr=False)

    @property
    def card(self) -> Path:
        return self.path / _CARD

    @property
    def model(self) -> Path:
        return self.path / "model.tflite"

    @property
    def weights(self) -> Path:
        return self.path / "weights.npz"

    @property
    def other_model(self) -> Path:
        """Of two INT8 files that were made, the one that was not kept."""
        return self.path / "other.tflite"

    def float_weights(self, *, int8_trained: bool) -> Path:
        """Values of the floating-point network beside an INT8 file."""
        return self.path / ("twin.npz" if int8_trained else "float.npz")

    @property
    def checkpoint(self) -> Path:
        return self.path / "checkpoint.npz"

    @property
    def curve(self) -> Path:
        """Validation during the training, if it was long enough for that."""
        return self.path / "validation.csv"

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Within, the folder is this training's alone.

        InputError if it belongs to another, or if somebody is at work in it.
        """
        self.require_own()
        with alone(self.path, "training"):
            self.require_own()  # by now it may be another's
            write_json(self.path / _OWNER, {"name": self.name, "identity": self.identity})
            yield

    def require_own(self) -> None:
        """InputError unless the folder is this training's, or nobody's; it says what differs."""
        require_folder_or_nothing(self.path, "name a folder by --out")
        if not self.path.exists():
            return
        owner = self._owner()
        if owner is not None:
            self._require_same(owner)
            return
        there = {path.name for path in self.path.iterdir() if not is_left_over(path)}
        if others := there - {LOCK, *_CUT_OFF}:
            raise InputError(
                f"{self.path}: holds {min(others)}, and no training of nas; name another by --out"
            )

    @property
    def finished(self) -> bool:
        """Whether this training is finished; InputError if the folder belongs to another."""
        self.require_own()
        return self.card.is_file() and self.model.is_file() and self.weights.is_file()

    def _owner(self) -> dict[str, Any] | None:
        """Name and identity of the training that the folder belongs to, if it does to one."""
        for path in (self.path / _OWNER, self.card):
            if path.is_file():
                owner = read_json(path)
                if not (isinstance(owner, dict) and isinstance(owner.get("identity"), dict)):
                    raise InputError(f"{path}: does not say of which training; it was changed")
                return owner
        return None

    def _require_same(self, owner: dict[str, Any]) -> None:
        mine, theirs = json.loads(json_text(self.identity)), stored_identity(owner["identity"])
        if mine == theirs:
            return
        name = str(owner.get("name", "another network"))
        differing = [key for key in {**mine, **theirs} if mine.get(key) != theirs.get(key)]
        said = [
            _SAID.get(key) or f"{key} {theirs.get(key)}, not {mine.get(key)}" for key in differing
        ]
        raise InputError(
            f"{self.path}: belongs to a training of {name} ({'; '.join(said) or 'another version'})"
            f", not to this one of {self.name}; name another folder by --out"
        )


#: What is said of values that say nothing to a person.
_SAID = {
    "candidate": "another network",
    "data": "other images",
    "teacher": "another teacher",
    "smaller_copies": "other sizes of its images",
    "method": "a version of nas that trains otherwise",
}
