"""Reads resolution (HR or LR) and scale from the names of images and folders.

Supported are the tags of public data sets and of tools that make them: ``0801x3``, ``img_1_HR`` and
``img_1_LR2``, ``baby_LRBI_x3``, ``GTmod12`` and ``LRbicx4``, ``Set5_bicLRx4``,
``DIV2K_valid_LR_bicubic``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

_SCALE = r"(?:[_-]?x(?P<after>[2-8])|[_-]?(?P<before>[2-8])x)"
_TAG = re.compile(
    r"(?:^|(?<=[_\-. ]))"
    r"(?:(?P<high>HR|GT(?:mod\d+)?)"
    r"|(?P<low>(?:bic)?LR)(?:[_-]?(?P<degradation>bicubic|bic|BI|BD|DN|unknown|mild|difficult|wild))?)"
    rf"(?:{_SCALE}|(?P<bare>[2-8]))?"
    r"(?=$|[_\-. ])",
    re.IGNORECASE,
)
_TIMES = re.compile(rf"(?<=.){_SCALE}$", re.IGNORECASE)
_SEPARATORS = "_-. "
#: Suffixes that may follow a tag: ``_sub`` is BasicSR's for folders of crops.
_ENDS = ("", "_sub")
_BICUBIC = frozenset({"bicubic", "bic", "bi"})


class Role(Enum):
    """Resolution of an image."""

    HIGH = "HR"
    LOW = "LR"


@dataclass(frozen=True)
class Name:
    """A parsed name.

    ``key`` is the name without tags, in lower case, equal for an HR image and its LR image.
    ``scale`` is the stated scale. ``is_bicubic`` is false if another degradation is stated.
    """

    key: str
    role: Role | None
    scale: int | None
    is_bicubic: bool = True


def read_name(text: str) -> Name:
    """Parses the stem of a file or the name of a folder.

    A tag must begin or end the name. A scale without a tag, ``0801x3``, states no role, since names
    may end like that by chance; nor does a name with both tags, ``hr_and_lr``.
    """
    tags = [tag for tag in _TAG.finditer(text) if not tag.start() or text[tag.end() :] in _ENDS]
    if len({tag["high"] is None for tag in tags}) == 2:
        return Name(text.lower(), None, None)
    if not tags:
        times = _TIMES.search(text)
        if times is None:
            return Name(text.lower(), None, None)
        return Name(_joined(text[: times.start()]), None, _scale(times))
    tag = tags[-1]
    key = _joined(text[: tag.start()], text[tag.end() :])
    role = Role.HIGH if tag["high"] else Role.LOW
    if tag["bare"] and not key:  # LR2.png is the second image
        return Name(tag["bare"], role, None)
    degradation = (tag["degradation"] or "bicubic").lower()
    return Name(key, role, _scale(tag, tag["bare"]), degradation in _BICUBIC)


def _scale(match: re.Match[str], bare: str | None = None) -> int | None:
    digit = match["after"] or match["before"] or bare
    return int(digit) if digit else None


def _joined(*parts: str) -> str:
    return "_".join(filter(None, (part.strip(_SEPARATORS) for part in parts))).lower()
