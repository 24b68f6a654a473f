"""Checkpoints of a long training, written periodically so that it can resume after any stop."""

from __future__ import annotations

import contextlib
import json
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from search_spaces import InputError, NasError

from ..system.files import json_text, read_arrays, write_arrays

if TYPE_CHECKING:
    from .initialization import Array
    from .job import Weights
    from .trainer import Checkpoint

#: Time between two checkpoints.
_INTERVAL_SECONDS = 60.0
#: Prefix of the arrays of the phase in progress; those of finished phases have the phase's name.
_STATE_GROUP = "state"


def stored_identity(values: dict[str, Any]) -> dict[str, Any]:
    """Returns the identity of a training from the ``values`` stored in a file.

    Drops "quantization", which earlier versions stored: it only says whether INT8 steps follow,
    and the steps before them do not depend on it.
    """
    return {key: value for key, value in values.items() if key != "quantization"}


class CheckpointFile:
    """The file of the last checkpoint of one training, which ``identity`` identifies."""

    def __init__(self, path: Path, identity: dict[str, Any]) -> None:
        self.path = path
        self._identity = json.loads(json_text(identity))
        self._written_at = time.monotonic()

    @property
    def is_due(self) -> bool:
        """Whether the last checkpoint is old enough for another to be written."""
        return time.monotonic() - self._written_at > _INTERVAL_SECONDS

    def read(self) -> Checkpoint | None:
        """Returns the checkpoint in the file, or None if there is no file.

        Raises InputError if it belongs to another training, NasError if it cannot be read.
        """
        return self._read() if self.path.exists() else None

    def write(self, checkpoint: Checkpoint) -> None:
        """Writes ``checkpoint``, which was captured between two steps."""
        groups: dict[str, Weights] = {_STATE_GROUP: checkpoint.state}
        groups |= {phase.value: weights for phase, weights in checkpoint.finished.items()}
        arrays = {f"{group}|{k}": v for group, values in groups.items() for k, v in values.items()}
        about = {
            "phase": checkpoint.phase,
            "step": checkpoint.step,
            "seconds": vars(checkpoint.seconds),
            "identity": self._identity,
        }
        write_arrays(self.path, {"about": np.array(json_text(about)), **arrays})
        self._written_at = time.monotonic()

    def _read(self) -> Checkpoint:
        from .job import Phase, TrainingSeconds
        from .trainer import Checkpoint

        groups: defaultdict[str, dict[str, Array]] = defaultdict(dict)
        with self._reporting_damage():
            arrays = read_arrays(self.path)
            about = json.loads(str(arrays.pop("about")))
            identity = stored_identity(dict(about["identity"]))
            phase, step = Phase(about["phase"]), int(about["step"])
            seconds = TrainingSeconds(**about["seconds"])
            for key, value in arrays.items():
                group, _, name = key.partition("|")
                groups[group][name] = value
            state = groups.pop(_STATE_GROUP)
            finished = {Phase(name): weights for name, weights in groups.items()}
        if identity != self._identity:
            raise InputError(
                f"{self.path} is of another training (network, data, recipe, seed or version "
                "differ); choose another folder by --out, or delete it"
            )
        return Checkpoint(phase, step, state, seconds, finished)

    @contextlib.contextmanager
    def _reporting_damage(self) -> Iterator[None]:
        """Turns errors raised in the block into a NasError: the file is damaged."""
        try:
            yield
        except (InputError, KeyError, TypeError, ValueError) as error:
            reason = str(error).removeprefix(f"{self.path}: ")
            raise NasError(
                f"{self.path}: the checkpoint cannot be read ({reason}); delete it to start anew"
            ) from None
