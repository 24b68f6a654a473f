"""What is put in for a reader's figures, so that pages are followed in seconds.

Everything else of a command is run as it stands in the page.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ..nas.commands import SMALL_PHOTOS


@dataclass(frozen=True)
class Economy:
    """Options that a command gets: in place of the page's, or besides."""

    command: tuple[str, ...]
    options: tuple[str, ...] = ()
    switches: tuple[str, ...] = ()

    def applied(self, words: Sequence[str]) -> list[str]:
        """``words`` with these options, and no other value of them."""
        kept = list(words)
        for option in self.options[::2]:
            if option in kept:
                place = kept.index(option)
                del kept[place : place + 2]
        return [*kept, *self.options, *self.switches]


#: The first networks of that seed are small.
_MOMENT = ("--steps", "50", "--precision", "float32", "--seed", "0", "--workers", "1")
_ONE = ("--budget", "1", "--input", "120x160", *_MOMENT)
#: One network is trained, for a moment, for small images.
TRAIN_ONE = Economy(("search",), (*_ONE, "--data", str(SMALL_PHOTOS)), ("--no-baselines",))
#: The same on the page's own photographs.
TRAIN_ONE_THERE = Economy(("search",), _ONE, ("--no-baselines",))
#: A study is made and stored, and one network trained at most.
TRAIN_NONE = Economy(("search",), ("--budget", "1s", *_MOMENT), ("--no-baselines",))
_OTHERS = (
    Economy(("train",), ("--steps", "10", "--batch", "1", "--patch", "8")),
    Economy(("latency", "collect"), ("--samples", "10")),
    Economy(("latency", "validate"), ("--samples", "2")),
    Economy(("space", "check"), ("--samples", "5", "--convert", "0")),
    Economy(("dashboard",), ("--port", "0")),
    # Tries every device and says if one is missing here: a test of its own, test_cli.py's.
    Economy(("doctor",), switches=("--help",)),
)
_SCRIPT = re.compile(r'(nas\.search\(\s*)"[^"]+"')
_ONE_OF_A_SCRIPT = '"1", input="120x160", steps=50, precision="float32", seed=0, baselines=False'


def economical(words: Sequence[str], search: Economy) -> list[str]:
    """A command of ``nas`` with small figures; ``search`` says what becomes of a search."""
    for economy in (search, *_OTHERS):
        if tuple(words[: len(economy.command)]) == economy.command:
            return economy.applied(words)
    return list(words)


def economical_script(text: str) -> str:
    """A script whose searches are as TRAIN_ONE's."""
    return _SCRIPT.sub(rf"\1{_ONE_OF_A_SCRIPT}", text)
