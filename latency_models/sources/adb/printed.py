"""Splits a tool's output into lines, without the prefixes of loggers and logcat."""

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
    """Returns the complete lines of ``text``, without their prefixes.

    A last line without a line end was cut off, and is omitted.
    """
    *whole, _ = text.replace("\r\n", "\n").split("\n")
    return tuple(map(_without_prefixes, whole))


def _without_prefixes(line: str) -> str:
    line = line.strip()
    while match := _PREFIX.match(line):
        line = line[match.end() :]
    return line.strip()
