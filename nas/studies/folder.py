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

_MARK = b"*\n"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


@dataclass(frozen=True)
class StudyFolder:
    """``studies/NAME`` under the current folder: where a study keeps its files on this machine."""

    path: Path

    @classmethod
    def named(cls, name: str) -> StudyFolder:
        """InputError if ``name`` cannot be a folder's, or the folder is somebody else's."""
        if not _NAME.fullmatch(name):
            raise InputError(
                f"study name {shown_url(name)!r}: use letters, digits, dot, dash and underscore"
            )
        folder = cls(Path("studies") / name)
        if folder.path.exists() and not folder.is_ours:
            raise InputError(f"{folder.path} exists and is not a study of nas; choose another name")
        return folder

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
        return self.model(candidate) / "model.tflite"

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


def is_study(name: str) -> bool:
    """Is there a folder of a study of that name here?"""
    return _NAME.fullmatch(name) is not None and StudyFolder(Path("studies") / name).is_ours
