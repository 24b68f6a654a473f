"""The size of a network's input image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from ..errors import GraphError


@dataclass(frozen=True)
class InputSpec:
    """Size of a network's low-resolution input image, in pixels."""

    height: int
    width: int

    def __post_init__(self) -> None:
        for side in (self.height, self.width):
            if not 1 <= side <= 16384:
                raise GraphError(f"input {self}: each side must be within 1..16384 pixels")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parses HEIGHTxWIDTH, such as ``360x640``; raises GraphError if ``text`` is malformed."""
        height, separator, width = str(text).lower().partition("x")
        if not (separator and height.isdecimal() and width.isdecimal()):
            raise GraphError(f"input size {text!r} is not HEIGHTxWIDTH; write it as 360x640")
        return cls(int(height), int(width))

    def __str__(self) -> str:
        return f"{self.height}x{self.width}"
