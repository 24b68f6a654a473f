"""The folder of a full-length training, which belongs to that training from its first step on."""

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
#: File with the identity of the training, written at its start. Earlier versions wrote the identity
#: to the card only.
_OWNER = "training.json"
#: Files of an interrupted training of versions that did not write ``_OWNER``.
_INTERRUPTED_FILES = {"checkpoint.npz", "validation.csv"}


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
        """The INT8 file that was not kept, if two were made."""
        return self.path / "other.tflite"

    def float_weights(self, *, int8_trained: bool) -> Path:
        """Weights of the floating-point network that belongs to an INT8 file."""
        return self.path / ("twin.npz" if int8_trained else "float.npz")

    @property
    def checkpoint(self) -> Path:
        return self.path / "checkpoint.npz"

    @property
    def curve(self) -> Path:
        """PSNR on the validation images during training, if that was long enough for validation."""
        return self.path / "validation.csv"

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Locks the folder for this training, and stores whose it is.

        Raises InputError if it belongs to another training, or another process is training in it.
        """
        self.require_own()
        with alone(self.path, "training"):
            self.require_own()  # another training may have taken it in the meantime
            write_json(self.path / _OWNER, {"name": self.name, "identity": self.identity})
            yield

    def require_own(self) -> None:
        """Raises InputError, saying what differs, if the folder belongs to another training.

        Also raises InputError if it holds other files.
        """
        require_folder_or_nothing(self.path, "name a folder by --out")
        if not self.path.exists():
            return
        owner = self._owner()
        if owner is not None:
            self._require_same_identity(owner)
            return
        present = {path.name for path in self.path.iterdir() if not is_left_over(path)}
        if others := present - {LOCK, *_INTERRUPTED_FILES}:
            raise InputError(
                f"{self.path}: holds {min(others)}, and no training of nas; name another by --out"
            )

    @property
    def finished(self) -> bool:
        """Whether this training is finished; raises InputError if the folder belongs to another."""
        self.require_own()
        return self.card.is_file() and self.model.is_file() and self.weights.is_file()

    def _owner(self) -> dict[str, Any] | None:
        """Returns name and identity of the training that the folder belongs to, or None."""
        for path in (self.path / _OWNER, self.card):
            if path.is_file():
                owner = read_json(path)
                if not (isinstance(owner, dict) and isinstance(owner.get("identity"), dict)):
                    raise InputError(f"{path}: does not say of which training; it was changed")
                return owner
        return None

    def _require_same_identity(self, owner: dict[str, Any]) -> None:
        mine, theirs = json.loads(json_text(self.identity)), stored_identity(owner["identity"])
        if mine == theirs:
            return
        name = str(owner.get("name", "another network"))
        differing = [key for key in {**mine, **theirs} if mine.get(key) != theirs.get(key)]
        differences = [
            _DIFFERENCE_TEXTS.get(key) or f"{key} {theirs.get(key)}, not {mine.get(key)}"
            for key in differing
        ]
        raise InputError(
            f"{self.path}: belongs to a training of {name} "
            f"({'; '.join(differences) or 'another version'}), not to this one of {self.name}; "
            "name another folder by --out"
        )


#: Messages for differing values that are not readable themselves.
_DIFFERENCE_TEXTS = {
    "candidate": "another network",
    "data": "other images",
    "teacher": "another teacher",
    "smaller_copies": "other sizes of its images",
    "method": "a version of nas that trains otherwise",
}
