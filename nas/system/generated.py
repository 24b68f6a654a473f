"""Generated text files, which are overwritten only if they were not changed by hand."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from search_spaces import InputError

from .files import reading, write_text

#: The first line of a generated file.
_MARK = re.compile(r"\S+ Written by `(?P<command>[^`]+)`, digest (?P<digest>[0-9a-f]{16})\b.*")


@dataclass(frozen=True)
class GeneratedFile:
    """A text file whose first line is a comment with the command and a digest of the rest."""

    path: Path
    command: str
    #: begin and end of a comment in the file's language
    comment: tuple[str, str] = ("#", "")

    def require_own(self) -> None:
        """Raises InputError if the file exists and was not generated, or was changed afterwards."""
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
        """Writes or overwrites the file; raises InputError as ``require_own`` does."""
        self.require_own()
        begin, end = self.comment
        digest = _digest(text.encode())
        mark = f"{begin} Written by `{self.command}`, digest {digest}: once changed, it is kept."
        write_text(self.path, f"{mark} {end}".rstrip() + f"\n{text}")


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]
