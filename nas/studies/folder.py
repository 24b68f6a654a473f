"""The folder of a study: ``studies/NAME`` under the current folder, or any other path."""

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
#: Names of the files that a trained candidate leaves in its folder.
MODEL, WEIGHTS = "model.tflite", "weights.npz"
_MARKER_CONTENT = b"*\n"
_NAME_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


@dataclass(frozen=True)
class StudyFolder:
    """The folder of a study's files on this machine, ``studies/NAME`` by default."""

    path: Path

    @classmethod
    def named(cls, name: str) -> StudyFolder:
        """Returns the folder ``studies/NAME``, which need not exist.

        Raises InputError if ``name`` is not a valid name, or the folder exists and is no study.
        """
        _require_name(name)
        return cls(_STUDIES / name)._checked()

    @classmethod
    def at(cls, path: Path) -> StudyFolder:
        """Returns a study folder at any path; the last part of the path is the study's name.

        The folder may be missing, empty, or a study. Raises InputError as ``named`` does.
        """
        _require_name(path.name)
        folder = cls(path)
        is_empty = path.is_dir() and not any(path.iterdir())
        return folder if is_empty else folder._checked()

    @classmethod
    def found(cls, word: str) -> StudyFolder:
        """Returns the study folder at the path ``word`` if it has a slash, else ``named(word)``.

        A path that is no study folder is passed to ``named`` too, which raises InputError.
        """
        folder = cls(Path(word))
        return folder if os.sep in word and folder.is_ours else cls.named(word)

    def _checked(self) -> StudyFolder:
        """Returns itself; raises InputError if the folder exists and is no study."""
        if self.path.exists() and not self.is_ours:
            raise InputError(f"{self.path} exists and is not a study of nas; choose another name")
        return self

    @property
    def word(self) -> str:
        """The argument of ``found`` that returns this folder."""
        return self.name if self.path == _STUDIES / self.name else str(self.path)

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def marker(self) -> Path:
        """The file that marks a study folder: a .gitignore that excludes everything from git."""
        return self.path / ".gitignore"

    @property
    def is_ours(self) -> bool:
        """Whether the folder was created by ``create``."""
        try:
            marked = self.marker.read_bytes() == _MARKER_CONTENT
        except OSError:
            return False
        return marked and all(path.is_dir() for path in self._subfolders)

    @property
    def _subfolders(self) -> tuple[Path, Path]:
        return self.path / "locks", self.path / "models"

    @property
    def takes_files(self) -> bool:
        """Whether files can be written into the folder; True if it does not exist yet."""
        return os.access(self.path, os.W_OK) if self.path.exists() else True

    @property
    def images(self) -> Path:
        """Folder of the study's photographs if a Python program passed them in memory."""
        return self.path / "images"

    @property
    def database(self) -> Path:
        """SQLite file of a study that has no shared database."""
        return self.path / "study.db"

    @property
    def pareto(self) -> Path:
        """Folder of the Pareto front's models and tables."""
        return self.path / "pareto"

    @property
    def latencies(self) -> Path:
        """File of trials' latencies that were measured, predicted or compiled after they ran."""
        return self.path / "latencies.json"

    @property
    def full_trainings(self) -> Path:
        """File of the PSNR of candidates that were trained in full."""
        return self.path / "full_trainings.json"

    @property
    def refitted(self) -> Path:
        """Device folder of the study's device refitted with the study's own measurements."""
        return self.path / "refitted"

    def model(self, candidate: str) -> Path:
        """Folder of one trained candidate's files."""
        return self.path / "models" / candidate

    def tflite(self, candidate: str) -> Path:
        """INT8 model file of a candidate; it exists on the machine that trained it."""
        return self.model(candidate) / MODEL

    @property
    def place(self) -> str:
        """Host name and absolute path; processes with the same place see the same locks."""
        return f"{socket.gethostname()}:{self.path.resolve()}"

    def lock(self, worker: str) -> Path:
        """File on which a worker holds a lock as long as it is alive."""
        return self.path / "locks" / f"{worker}.lock"

    def create(self) -> None:
        """Creates the folder; the marker is written last, so that it never marks a partial one."""
        for path in self._subfolders:
            path.mkdir(parents=True, exist_ok=True)
        if not self.marker.exists():
            write_whole(self.marker, _MARKER_CONTENT)


def is_study(word: str) -> bool:
    """Returns whether ``word`` is the name of a study here, or a study's path with a slash."""
    path = Path(word) if os.sep in word else _STUDIES / word
    return _NAME_PATTERN.fullmatch(path.name) is not None and StudyFolder(path).is_ours


def _require_name(name: str) -> None:
    if not _NAME_PATTERN.fullmatch(name):
        raise InputError(
            f"study name {shown_url(name)!r}: use letters, digits, dot, dash and underscore"
        )
