"""Checkpoints of a long training: written now and then, and gone on from after any end."""

from __future__ import annotations

import json
import time
import zipfile
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from search_spaces import InputError, NasError

from .files import json_text, write_arrays

if TYPE_CHECKING:
    from .networks.initialisation import Array
    from .networks.job import Weights
    from .networks.trainer import Checkpoint

_EVERY_SECONDS = 60.0
_STATE = "state"


class CheckpointFile:
    """The last checkpoint of one training, which ``identity`` tells from any other."""

    def __init__(self, path: Path, identity: dict[str, Any]) -> None:
        self.path = path
        self._identity = json.loads(json_text(identity))
        self._written = time.monotonic()

    @property
    def is_due(self) -> bool:
        """Has it been a minute?"""
        return time.monotonic() - self._written > _EVERY_SECONDS

    def read(self) -> Checkpoint | None:
        """What the file holds, nothing if there is none.

        InputError if it is of another training, NasError if it cannot be read.
        """
        return self._read() if self.path.exists() else None

    def write(self, checkpoint: Checkpoint) -> None:
        """Keeps ``checkpoint``, taken between two steps."""
        groups: dict[str, Weights] = {_STATE: checkpoint.state}
        groups |= {phase.value: weights for phase, weights in checkpoint.finished.items()}
        arrays = {f"{group}|{k}": v for group, values in groups.items() for k, v in values.items()}
        about = {
            "phase": checkpoint.phase,
            "step": checkpoint.step,
            "seconds": vars(checkpoint.seconds),
            "identity": self._identity,
        }
        write_arrays(self.path, {"about": np.array(json_text(about)), **arrays})
        self._written = time.monotonic()

    def _read(self) -> Checkpoint:
        from .networks.job import Phase, TrainingSeconds
        from .networks.trainer import Checkpoint

        groups: defaultdict[str, dict[str, Array]] = defaultdict(dict)
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
        state = groups.pop(_STATE)
        finished = {Phase(name): weights for name, weights in groups.items()}
        seconds = TrainingSeconds(**about["seconds"])
        return Checkpoint(Phase(about["phase"]), about["step"], state, seconds, finished)
