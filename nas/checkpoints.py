"""Checkpoints of a long training: written now and then, and gone on from after any end."""

from __future__ import annotations

import json
import time
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from search_spaces import InputError, NasError

from .files import json_text, write_arrays

if TYPE_CHECKING:
    from .networks.initialisation import Array
    from .networks.training import Checkpoint, Trainer

_EVERY_SECONDS = 60.0


class CheckpointFile:
    """The last checkpoint of one training, which ``identity`` tells from any other."""

    def __init__(self, path: Path, identity: dict[str, Any]) -> None:
        self.path = path
        self._identity = json.loads(json_text(identity))
        self._begun = self._written = time.monotonic()
        #: how long earlier runs trained, up to what this one goes on from
        self.seconds_before = 0.0

    @property
    def is_due(self) -> bool:
        """Has it been a minute?"""
        return time.monotonic() - self._written > _EVERY_SECONDS

    def resume(self, trainer: Trainer) -> None:
        """Brings ``trainer`` to where the file was written, if there is one.

        InputError if it is of another training, NasError if it cannot be read.
        """
        if self.path.exists():
            trainer.resume(self._read())

    def write(self, trainer: Trainer) -> None:
        """Keeps the state of ``trainer`` between two steps."""
        checkpoint = trainer.capture()
        groups = {
            "current": checkpoint.current, "forked": checkpoint.forked, "int8": checkpoint.int8,
        }  # fmt: skip
        arrays = {f"{group}|{k}": v for group, values in groups.items() for k, v in values.items()}
        about = {
            "phase": checkpoint.phase,
            "step": checkpoint.step,
            "identity": self._identity,
            "gradient_seconds": checkpoint.gradient_seconds,
            "seconds": self.seconds_before + time.monotonic() - self._begun,
        }
        write_arrays(self.path, {"about": np.array(json_text(about)), **arrays})
        self._written = time.monotonic()

    def _read(self) -> Checkpoint:
        from .networks.lesson import Phase
        from .networks.training import Checkpoint

        groups: dict[str, dict[str, Array]] = {"current": {}, "forked": {}, "int8": {}}
        try:
            with np.load(self.path, allow_pickle=False) as file:
                about = json.loads(str(file["about"]))
                for key in file.files:
                    group, _, name = key.partition("|")
                    if name:
                        groups[group][name] = file[key]
        except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
            raise NasError(
                f"{self.path}: the checkpoint cannot be read ({error}); delete it to start anew"
            ) from None
        if about["identity"] != self._identity:
            raise InputError(
                f"{self.path} is of another training (network, data, recipe or seed differ); "
                "choose another folder by --out, or delete it"
            )
        self.seconds_before = about.get("seconds", 0.0)
        return Checkpoint(
            Phase(about["phase"]),
            about["step"],
            **groups,
            gradient_seconds=about.get("gradient_seconds", 0.0),
        )
