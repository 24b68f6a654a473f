"""Reads the role (HR or LR) and the scale of images from names of files and folders.

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
#: A scale without a tag at the end of a name.
_SCALE_AT_END = re.compile(rf"(?<=.){_SCALE}$", re.IGNORECASE)
_SEPARATORS = "_-. "
#: Ends of a name that may follow a tag; BasicSR marks folders of crops by ``_sub``.
_AFTER_TAG = ("", "_sub")
_BICUBIC = frozenset({"bicubic", "bic", "bi"})


class Role(Enum):
    """Whether an image has high or low resolution."""

    HIGH = "HR"
    LOW = "LR"


@dataclass(frozen=True)
class ParsedName:
    """A parsed name of a file or folder.

    ``key`` is the name without tags, in lower case; it is equal for an HR image and its LR image.
    ``role`` and ``scale`` are None if the name does not state them. ``is_bicubic`` is false if the
    name states another degradation.
    """

    key: str
    role: Role | None
    scale: int | None
    is_bicubic: bool = True


def read_name(text: str) -> ParsedName:
    """Parses the stem of a file or the name of a folder.

    A tag must begin or end the name. A scale without a tag, as in ``0801x3``, states no role, since
    names may end so by chance. Neither does a name with an HR and an LR tag, as ``hr_and_lr``.
    """
    tags = [
        tag for tag in _TAG.finditer(text) if not tag.start() or text[tag.end() :] in _AFTER_TAG
    ]
    if len({tag["high"] is None for tag in tags}) == 2:
        return ParsedName(text.lower(), None, None)
    if not tags:
        scale = _SCALE_AT_END.search(text)
        if scale is None:
            return ParsedName(text.lower(), None, None)
        return ParsedName(_key(text[: scale.start()]), None, _scale(scale))
    tag = tags[-1]
    key = _key(text[: tag.start()], text[tag.end() :])
    role = Role.HIGH if tag["high"] else Role.LOW
    if tag["bare"] and not key:  # the digit of LR2.png numbers the image
        return ParsedName(tag["bare"], role, None)
    degradation = (tag["degradation"] or "bicubic").lower()
    return ParsedName(key, role, _scale(tag, tag["bare"]), degradation in _BICUBIC)


def _scale(match: re.Match[str], bare: str | None = None) -> int | None:
    digit = match["after"] or match["before"] or bare
    return int(digit) if digit else None


def _key(*parts: str) -> str:
    return "_".join(filter(None, (part.strip(_SEPARATORS) for part in parts))).lower()
