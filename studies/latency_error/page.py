"""README.md of this study, from its results."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

#: Devices of the first table.
DIMENSITY = ("dimensity8100-nnapi", "dimensity8100-neuron")
_KEYS = ("mape_percent", "within_10_percent", "spearman", "largest_error_percent")
_HEAD = """# Error of the latency models

`python studies/latency_error/run.py` repeats all of it; every figure, with kendall and
coverage, is in [results.json](results.json).
"""
#: How the models came about, which no figure tells by itself.
_CAVEATS = """
## What to hold against these figures

- Dimensity 8100: only the padding is chosen inside each fold. The terms are one of some twenty sets
  that were compared by these very left-out errors, and the bound of unseen operators was changed
  once after ETDS had been seen left out. The figures are therefore on the good side; networks that
  are in no table have to judge. An ETDS left out on NNAPI is mostly outside its interval.
- VS680: which engine rates are shared, that XLSR's and ABPN's clips saturate and PRPSR's is an
  operator, was settled by what fits. Three of the eleven graphs have inferred widths.
- Ethos-U: the price of transposed convolutions, trees for each kind of operator, weights by share
  and what the trees see of an operator's surroundings were chosen by cross-validation on earlier
  tables, some with other fresh networks in sight. Then it turned out that networks with first
  weights, as those were, compile to too short a time: zeros are packed, and PReLUs of equal slopes
  cost nothing. Both tables were drawn and compiled anew, by tables.py, with weights like trained
  ones, and nothing of the models was changed: these are blind figures. Prices for each kind of
  operator, where ten measurements bring a model over, came later, chosen on the networks to fit.
- Where the Ethos-U goal of 95 % within 10 % is missed: a time is the longer of arithmetic and
  memory, and both depend on how many rows of which tensors the compiler keeps in its 384 KB of
  SRAM. A convolution at the beginning of such a cascade of one row reads its input four times from
  DRAM, one in its middle not at all. Cascades worked out from the operators as the compiler does
  (the place of 84 % of the convolutions is right, for three quarters the number of rows, too), the
  next convolutions behind an activation, more trees and boosted ones did not bring more networks
  within 10 % when they were cross-validated: 300 networks do not hold every width in every place.
- Host: the prices of each kind of operator were chosen on another machine's measurements. Measured
  by host.py; a network measured again says how far one can come here.
- RK3588: the constants have not been tried on a network of super-resolution that somebody measured.
"""


def page(results: dict[str, Any]) -> str:
    """The text of README.md."""
    return "\n".join(_sections(results))


def _sections(results: dict[str, Any]) -> Iterator[str]:
    yield _HEAD
    yield _table(
        ("device", "left out of the fit", "mean error %", "within 10 %", "Spearman",
         "largest %", "inside the interval %"),
        (row for name in DIMENSITY for row in _dimensity(name, results[name])),
    )  # fmt: skip
    yield "## VS680\n"
    yield _table(
        ("fact", "ms", "fitted", "error %", "predicted from the others, error %"),
        (
            (f["fact"], f["ms"], f["fitted_ms"], f"{f['error_percent']:+.1f}",
             f"{f['left_out_error_percent']:+.1f}")
            for f in results["vs680"]["facts"]
        ),
    )  # fmt: skip
    if "ethos_u" in results:
        yield "## Ethos-U, the compiler's own time\n"
        yield "Networks of `mobile` at 360x640, x3, from the tables given, not kept here.\n"
        yield _table(
            ("device", "model", "networks", "mean error %", "within 10 %", "Spearman"),
            (row for name, part in results["ethos_u"].items() for row in _ethos_u(name, part)),
        )
    if "host" in results:
        yield "## Host: one core of the machine that ran it, LiteRT with XNNPACK\n"
        yield "Networks of `mobile` at 360x640, x3, that the model has not seen.\n"
        yield _table(
            ("", "networks", "mean error %", "within 10 %", "Spearman", "largest %"),
            _host(results["host"]),
        )
    board, rate = results["rk3588"], results["speed"]
    yield "## RK3588, microseconds of a layer from the compiler's cycles\n"
    yield _table(
        ("layers", "mean error %", "nine of ten within %"),
        (
            (f"{board['layers']}, {what}", board[key]["mean_percent"],
             board[key]["nine_of_ten_percent"])
            for what, key in (("fitted", "fitted"), ("all of one size left out", "size_left_out"))
        ),
    )  # fmt: skip
    yield f"{rate['architectures']:,} architectures are predicted in {rate['seconds']} s."
    yield _CAVEATS.rstrip() + "\n"


def _dimensity(name: str, result: dict[str, Any]) -> Iterator[tuple[object, ...]]:
    parts = {"a network with all its scales": result["network_left_out"]}
    parts |= {f"family {family}": row for family, row in result["family_left_out"].items()}
    for what, row in parts.items():
        yield name, what, *_rounded(row), f"{row['coverage_percent']:.0f}"
    yield name, "the same network, MACs alone", *_rounded(result["macs_alone"]), ""


def _rounded(row: dict[str, float]) -> list[str]:
    return [f"{row[key]:.4g}" for key in _KEYS]


def _ethos_u(name: str, result: dict[str, Any]) -> Iterator[tuple[object, ...]]:
    models = {f"of {result['trained_on']}": result["model"], "MACs": result["macs_alone"]}
    models |= {f"of 10, {donor}": row for donor, row in result["from_ten_measurements"].items()}
    for what, row in models.items():
        yield name, what, *_figures(row)


def _host(result: dict[str, Any]) -> Iterator[tuple[object, ...]]:
    parts = {
        f"model of {result['trained_on']}": result["model"],
        "MACs": result["macs_alone"],
        "measured again": result["measured_again"],
    }
    for what, row in parts.items():
        yield what, *_figures(row), f"{row['largest_error_percent']:.0f}"


def _figures(row: dict[str, Any]) -> tuple[object, ...]:
    return (
        row["networks"], f"{row['mape_percent']:.1f}", f"{row['within_10_percent']:.1f}",
        f"{row['spearman']:.3f}",
    )  # fmt: skip


def _table(titles: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> str:
    lines = [titles, ("---",) * len(titles), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines) + "\n"
