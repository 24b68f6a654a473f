"""Commands run one after another, and what they may leave behind when they refuse."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nas.data.images import write_image

from .commands import execute

#: A search that ends before anything is trained, if it is refused.
SEARCH = ("search", "--budget", "1", "--study", "s")


@dataclass(frozen=True)
class Console:
    """Runs commands in ``folder``, the current one."""

    folder: Path

    def run(self, *words: str) -> tuple[int, str]:
        """Exit code and standard error."""
        answer = execute(Path.cwd(), *words)
        return answer.code, answer.errors

    def run_whole(self, *words: str) -> tuple[int, str, str]:
        """Exit code, standard output and standard error."""
        answer = execute(Path.cwd(), *words)
        return answer.code, answer.output, answer.errors

    def files(self) -> dict[str, bytes | None]:
        """Every file's bytes, and every folder; not SQLite's journals, which come and go."""
        return {
            str(path): path.read_bytes() if path.is_file() else None
            for path in self.folder.rglob("*")
            if not path.name.endswith(("-wal", "-shm"))
        }

    def refuse(self, code: int, value: str, *words: str) -> str:
        """One line with ``value`` in it, the exit code, and no file other than before."""
        before = self.files()
        given, errors = self.run(*words)
        assert given == code, errors
        assert errors.startswith("error: "), errors
        assert errors.count("\n") == 1, errors
        assert value in errors
        assert self.files() == before
        return errors


def write_photos(folder: Path, count: int = 2, side: int = 120) -> None:
    folder.mkdir(exist_ok=True)
    random = np.random.default_rng(0)
    for index in range(count):
        pixels = random.integers(0, 256, (side, side, 3), np.uint8)
        write_image(folder / f"{index}.png", pixels)
