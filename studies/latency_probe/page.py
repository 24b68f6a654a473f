"""Makes the README.md of this study from its results."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

_HEAD = """# What a planned probe tells, beside random networks

`python -m studies.latency_probe.run` repeats all of it; figures are in
[results.json](results.json).

Devices are compilers, which tell every operator's time: once those are used, and once the time of
the whole network alone, as a board tells it. 60 networks of `mobile` at 360x640, x3, are kept back
from the tables of the regressions and predicted, of these for each fit those whose operators it has
all seen ("judged"): it refuses others. The fit is that of `nas latency fit`.

- small: the 24 of `nas latency probe` on a board, single operators, pairs, branches and ends
- networks: 24 of the first 96 networks of the table, by the same design; so a compiler is probed,
  where the zoo is among those to choose from
- 24 random: the mean of four tables that are parts of the random one
- 100 random: the mean of two
"""
#: Conclusions that the figures do not show by themselves.
_CAVEATS = """
The goal, that 24 planned networks reach what 100 random ones do, is not met. A design settles the
prices of the model that it is made for, and the model errs: this compiler runs a convolution from
SRAM or from DRAM as the operators around it leave room, so that an operator by itself costs
something else than within a network. Small networks settle every price and mislead about such
devices; that is why a compiler is probed with whole networks. Trees learn from operators, and 100
networks hold five times as many. Where 24 do as well as 100 by networks' times, both are poor.

No board was at hand: whether small networks tell more of one that has no such cascades is open.
These are no blind figures. The design, and that few rows are fitted with prices of each kind of
operator rather than with prices that kinds share, were chosen on tables of networks with
DEPTH_TO_SPACE, with the 60 kept back in sight: there, by the networks' times, the second brought
the plan of whole networks on ethos-u55-256 from 30.6 to 9.6 %, and the mean of small networks on
ethos-u65-512 from 24.7 to 26.1 %. What was tried and left: designs for prices of each kind of
operator, half small and half whole networks, and long networks with the most different operators.
Engines side by side are no part of the design.
"""
_NAMES = {"small": "small", "networks": "networks", "random": "24 random", "more": "100 random"}
_TIMES = {"told": "each operator's", "whole": "the network's"}
_TITLES = (
    "device", "times", "fitted to", "operators", "judged", "mean error %", "within 10 %",
    "inside the interval %", "interval, end by beginning", "Spearman",
)  # fmt: skip


def page(results: dict[str, Any]) -> str:
    """Returns the text of README.md."""
    return "\n".join([_HEAD, *_table(results), "", *_verdict(results), ""])


def _table(results: dict[str, Any]) -> Iterator[str]:
    yield f"| {' | '.join(_TITLES)} |"
    yield "|" + "---|" * len(_TITLES)
    for device, found in results.items():
        for times, title in _TIMES.items():
            for name, fitted in _NAMES.items():
                row = found[name][times]
                cells = (
                    device, title, fitted, str(found[name]["operators"]),
                    str(found[name]["judged"]),
                    f"{row['mape_percent']:.1f}", f"{row['within_10_percent']:.0f}",
                    f"{row['coverage_percent']:.0f}", f"{row['width']:.2f}",
                    f"{row['spearman']:.3f}",
                )  # fmt: skip
                yield f"| {' | '.join(cells)} |"


def _verdict(results: dict[str, Any]) -> Iterator[str]:
    """Yields lines that list the devices where 24 planned networks do as well as 100 random."""
    yield "## Do 24 reach what 100 random ones reach?\n"
    for times, title in _TIMES.items():
        for name in ("small", "networks"):
            reached = [
                device
                for device, found in results.items()
                if found[name][times]["mape_percent"] <= found["more"][times]["mape_percent"]
            ]
            said = ", ".join(reached) or "on none of these devices"
            yield f"- By {title} times, {_NAMES[name]}: {said}."
    yield _CAVEATS
