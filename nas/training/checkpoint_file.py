"""Checkpoints of a long training: written now and then, and gone on from after any end."""

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

_EVERY_SECONDS = 60.0
_STATE = "state"


def identity_in(kept: dict[str, Any]) -> dict[str, Any]:
    """The identity of a training that is ``kept`` in a file.

    Earlier versions counted to it whether INT8 steps follow, before which all is the same.
    """
    return {key: value for key, value in kept.items() if key != "quantization"}


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
        from .job import Phase, TrainingSeconds
        from .trainer import Checkpoint

        groups: defaultdict[str, dict[str, Array]] = defaultdict(dict)
        with self._damage():
            arrays = read_arrays(self.path)
            about = json.loads(str(arrays.pop("about")))
            identity = identity_in(dict(about["identity"]))
            phase, step = Phase(about["phase"]), int(about["step"])
            seconds = TrainingSeconds(**about["seconds"])
            for key, value in arrays.items():
                group, _, name = key.partition("|")
                groups[group][name] = value
            state = groups.pop(_STATE)
            finished = {Phase(name): weights for name, weights in groups.items()}
        if identity != self._identity:
            raise InputError(
                f"{self.path} is of another training (network, data, recipe, seed or version "
                "differ); choose another folder by --out, or delete it"
            )
        return Checkpoint(phase, step, state, seconds, finished)

    @contextlib.contextmanager
    def _damage(self) -> Iterator[None]:
        """What fails within is the fault of the file."""
        try:
            yield
        except (InputError, KeyError, TypeError, ValueError) as error:
            reason = str(error).removeprefix(f"{self.path}: ")
            raise NasError(
                f"{self.path}: the checkpoint cannot be read ({reason}); delete it to start anew"
            ) from None
