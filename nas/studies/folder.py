"""The folder of a study: ``studies/NAME`` under the current folder."""

from __future__ import annotations

import os
import re
import socket
from dataclasses import dataclass
from pathlib import Path

from search_spaces import InputError

from ..system.files import write_whole
from ..system.passwords import shown_url

_STUDIES = Path("studies")
#: What a trained candidate leaves in its folder.
MODEL, WEIGHTS = "model.tflite", "weights.npz"
_MARK = b"*\n"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


@dataclass(frozen=True)
class StudyFolder:
    """Where a study keeps its files on this machine: ``studies/NAME``, if nothing else is said."""

    path: Path

    @classmethod
    def named(cls, name: str) -> StudyFolder:
        """InputError if ``name`` cannot be a folder's, or the folder is somebody else's."""
        _require_name(name)
        return cls(_STUDIES / name)._own()

    @classmethod
    def at(cls, path: Path) -> StudyFolder:
        """A folder anywhere, whose name is the study's; InputError as of ``named``.

        One that is there and empty will do.
        """
        _require_name(path.name)
        folder = cls(path)
        is_empty = path.is_dir() and not any(path.iterdir())
        return folder if is_empty else folder._own()

    @classmethod
    def found(cls, word: str) -> StudyFolder:
        """The study that is in the folder ``word``, written with a slash; or as of ``named``."""
        folder = cls(Path(word))
        return folder if os.sep in word and folder.is_ours else cls.named(word)

    def _own(self) -> StudyFolder:
        if self.path.exists() and not self.is_ours:
            raise InputError(f"{self.path} exists and is not a study of nas; choose another name")
        return self

    @property
    def word(self) -> str:
        """What ``found`` finds it by, from the current folder."""
        return self.name if self.path == _STUDIES / self.name else str(self.path)

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def marker(self) -> Path:
        """The file that tells a study from any other folder; nothing in it belongs into git."""
        return self.path / ".gitignore"

    @property
    def is_ours(self) -> bool:
        """Was the folder made by ``create``?"""
        try:
            marked = self.marker.read_bytes() == _MARK
        except OSError:
            return False
        return marked and all(path.is_dir() for path in self._parts)

    @property
    def _parts(self) -> tuple[Path, Path]:
        return self.path / "locks", self.path / "models"

    @property
    def takes_files(self) -> bool:
        """May anything be written into it?"""
        return os.access(self.path, os.W_OK) if self.path.exists() else True

    @property
    def images(self) -> Path:
        """The photographs, where a Python program had them in memory."""
        return self.path / "images"

    @property
    def database(self) -> Path:
        return self.path / "study.db"

    @property
    def pareto(self) -> Path:
        return self.path / "pareto"

    @property
    def latencies(self) -> Path:
        """What is known of trials' latencies better than when they ran."""
        return self.path / "latencies.json"

    @property
    def full_trainings(self) -> Path:
        """PSNR of candidates that were trained in full."""
        return self.path / "full_trainings.json"

    @property
    def refitted(self) -> Path:
        """The study's device with what was measured put into its table: a device folder."""
        return self.path / "refitted"

    def model(self, candidate: str) -> Path:
        """Folder of one trained candidate's files."""
        return self.path / "models" / candidate

    def tflite(self, candidate: str) -> Path:
        """Its INT8 model; on the machine that trained it."""
        return self.model(candidate) / MODEL

    @property
    def place(self) -> str:
        """Machine and folder: the reach of its locks."""
        return f"{socket.gethostname()}:{self.path.resolve()}"

    def lock(self, worker: str) -> Path:
        return self.path / "locks" / f"{worker}.lock"

    def create(self) -> None:
        """Makes the folder, its marker last, so that it is a study only when it is whole."""
        for path in self._parts:
            path.mkdir(parents=True, exist_ok=True)
        if not self.marker.exists():
            write_whole(self.marker, _MARK)


def is_study(word: str) -> bool:
    """Is there a study of that name here, or in the folder ``word``, written with a slash?"""
    path = Path(word) if os.sep in word else _STUDIES / word
    return _NAME.fullmatch(path.name) is not None and StudyFolder(path).is_ours


def _require_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise InputError(
            f"study name {shown_url(name)!r}: use letters, digits, dot, dash and underscore"
        )
