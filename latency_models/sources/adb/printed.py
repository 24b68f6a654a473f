"""Lines as a tool printed them, without what loggers and logcat put before them."""

from __future__ import annotations

import re

_PREFIX = re.compile(
    r"""
    \d\d-\d\d\ \d\d:\d\d:\d\d\.\d+\s+\d+\s+\d+\s+[VDIWEF]\s+\S+\s*:\ ?   # logcat, threadtime
    | [VDIWEF]/\S+\s*\(\s*\d+\):\ ?                                      # logcat, brief
    | \d{4}-\d\d-\d\d\ \d\d:\d\d:\d\d\.\d+:\ [IWEF]\ \S+:\d+\]\ ?        # TensorFlow of 2018
    | (?:VERBOSE|DEBUG|INFO|WARNING|WARN|ERROR|FATAL):\ ?                # TFLite from 2.14 on
    | \[[^\[\]\s]+:\d+\]\ ?                                              # LiteRT: [file:line]
    """,
    re.VERBOSE,
)


def complete_lines(text: str) -> tuple[str, ...]:
    """The lines of ``text`` that are there to their end, each without its prefixes.

    Tools end every line; one without its end is cut off, and a number in it is not to be trusted.
    """
    *whole, _ = text.replace("\r\n", "\n").split("\n")
    return tuple(map(_bare, whole))


def _bare(line: str) -> str:
    line = line.strip()
    while match := _PREFIX.match(line):
        line = line[match.end() :]
    return line.strip()
