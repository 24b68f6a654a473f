"""Files that a command writes, and writes anew as long as nobody has changed them by hand."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from search_spaces import InputError

from .files import reading, write_text

_MARK = re.compile(r"\S+ Written by `(?P<command>[^`]+)`, digest (?P<digest>[0-9a-f]{16})\b.*")


@dataclass(frozen=True)
class GeneratedFile:
    """A text file whose first line, a comment, tells what wrote it and what it wrote."""

    path: Path
    command: str
    #: before and after a comment
    comment: tuple[str, str] = ("#", "")

    def require_own(self) -> None:
        """InputError if the file is there, and was written or changed by somebody else."""
        if not self.path.exists():
            return
        with reading(self.path):
            content = self.path.read_bytes()
        first, _, rest = content.partition(b"\n")
        mark = _MARK.fullmatch(first.decode(errors="replace"))
        if mark is None or mark["digest"] != _digest(rest):
            raise InputError(
                f"{self.path}: was written or changed by hand, and `{self.command}` overwrites "
                "nothing of that kind; move it away, or name another folder"
            )

    def write(self, text: str) -> None:
        """Writes it anew; InputError as ``require_own``."""
        self.require_own()
        begin, end = self.comment
        digest = _digest(text.encode())
        said = f"{begin} Written by `{self.command}`, digest {digest}: once changed, it is kept."
        write_text(self.path, f"{said} {end}".rstrip() + f"\n{text}")


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]
