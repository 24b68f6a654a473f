"""Makes the README.md of this study from its results."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

#: Devices of the first two tables.
DIMENSITY = ("dimensity8100-nnapi", "dimensity8100-neuron")
#: Devices of the VS680 table: with the present software, and with that of the report.
VS680 = ("vs680", "vs680-2021")
_KEYS = ("mape_percent", "within_10_percent", "spearman", "largest_error_percent")
_HEAD = """# Error of the latency models

`python -m studies.latency_error.run` repeats all of it; every figure, with kendall and
coverage, is in [results.json](results.json).
"""
#: How the models were made, which the figures do not show.
_CAVEATS = """
## What to hold against these figures

- Dimensity 8100: the terms, what is fused and that channels are padded to fours were settled with
  the tables in sight, though not by single rows. That 36 or 44 channels cost no more than their
  multiply-accumulates say, and PReLU behind a convolution nothing that shows, is seen in the rows
  with a folded residual; that adding two convolutions' results costs less than writing one, in the
  two with two branches. What is expected of prices beforehand is of VS680 and Ethos-U alone. Each
  structure is left out with everything that follows from it: prices, padding, noise, and how many
  standard deviations the interval takes.
- A structure that is left out takes the price of its operators with it: of the image added, what is
  left is what other devices let expect, within a factor of about three either way, and the interval
  says so. FSRCNN alone has a transposed convolution, of which the prior knows nothing of its own.
- VS680: that XLSR's and ABPN's clips saturate and PRPSR's is an operator was settled by what fits.
  Three of the 13 graphs have inferred widths. XLSR compiled on the board and PureConvSR are farther
  than 20 % from the fit: beside each other the first is slower and the second faster with the later
  software than the same two layers are with that of 2021, and one factor for a software, or one for
  each of its engines (tried), tells both no better.
- Ethos-U: a time is the longer of arithmetic and memory, and both depend on how many rows of which
  tensors the compiler keeps in its 384 KB of SRAM. A neural network over the operators in their
  order is told, beside each operator's figures, which chains could run by turns within the SRAM as
  Vela begins to schedule them, which tensors lie pixel by pixel because parts of them are written
  or read, and whether blocks of rows and columns end where the tensor does. It is trained from
  nothing, on all devices together and then on each by itself. Features and layers were chosen by
  400 networks left out of the training, at the beginning of its table; the interval, one for
  360x640 and one for other sizes, is theirs, too.
- The networks unseen are of other seeds, drawn after all was chosen and trained.
- 95 % within 10 % at 360x640 is missed on the U85-1024, where 93.6 % of all 1,000 are. With 3,551
  networks to learn from, and with one training for all devices, 91.8 % of 317 others were, and 88.5
  and 85.3 % at sizes of their own on the two U85, where 90 % are wanted. A second training of the
  U85-1024 by itself, twice as long, left the mean error of the 400 at 3.3 % (3.2 before), while
  that of the networks it learns from is below 2 %: more networks would help further.
- What is still far off is mostly a transposed convolution, which takes several times as long or not
  as its input happens to fit into the SRAM, and a first or last convolution of few
  channels on the Ethos-U85: it takes once or twice as long as the compiler happens to cut the image
  into blocks.
- The files that the compiler took were written from the operators, not converted, which is much
  faster. Of twelve networks that were also converted by TensorFlow, with weights like trained ones,
  seven took the same cycles of an Ethos-U85 to the last digit, and the others within 0.06 %.
- "Of 10" is a model of prices and trees of the 300 networks of another device's table, brought over
  by ten measurements, judged by 300 fresh networks that were drawn before these.
- Host: the prices of each kind of operator were chosen on another machine's measurements. Measured
  by host.py; a network measured again says how far one can come here.
- RK3588: the constants have not been tried on a network of super-resolution that somebody measured.
"""


def page(results: dict[str, Any]) -> str:
    """Returns the text of README.md."""
    return "\n".join(_sections(results))


def _sections(results: dict[str, Any]) -> Iterator[str]:
    yield _HEAD
    yield "## Structures left out: families, all with an operator, all with a residual of a kind\n"
    yield _table(
        ("device", "left out of the fit", "networks", "mean error %", "within 10 %", "largest %",
         "inside the interval %", "interval, end by beginning"),
        (row for name in DIMENSITY for row in _structures(name, results[name])),
    )  # fmt: skip
    yield "## Networks left out, each with all its scales\n"
    yield _table(
        ("device", "model", "mean error %", "within 10 %", "Spearman", "largest %",
         "inside the interval %", "interval, end by beginning"),
        (row for name in DIMENSITY for row in _networks(name, results[name])),
    )  # fmt: skip
    yield "## VS680, each fact predicted from the others alone, and fitted\n"
    yield _table(
        ("device", "fact", "software", "ms", "from the others, error %", "its interval, ms",
         "fitted", "error %"),
        (row for name in VS680 for row in _facts(name, results[name])),
    )  # fmt: skip
    if "ethos_u" in results:
        yield "## Ethos-U, the compiler's own time\n"
        yield (
            "Networks of `mobile`, x3, from the tables given, not kept here; at 360x640, or each\n"
            "at a size of its own, with a height of 64 to 720; as the devices deploy them, pixels\n"
            "row by row, or with DEPTH_TO_SPACE.\n"
        )
        yield _table(
            ("device", "model", "networks", "mean error %", "within 10 %", "Spearman",
             "inside the interval %", "interval, end by beginning"),
            (row for name, part in results["ethos_u"].items() for row in _ethos_u(name, part)),
        )  # fmt: skip
        seconds = max(part["processor_seconds"] for part in results["ethos_u"].values())
        yield f"10,000 of them are predicted in {seconds} s of processor time.\n"
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


def _structures(name: str, result: dict[str, Any]) -> Iterator[tuple[object, ...]]:
    parts = {"all of these": result["structures_left_out"]} | result["structures"]
    for what, row in parts.items():
        yield (
            name, what, row["networks"], f"{row['mape_percent']:.1f}",
            f"{row['within_10_percent']:.0f}", f"{row['largest_error_percent']:.0f}",
            *_interval(row),
        )  # fmt: skip


def _networks(name: str, result: dict[str, Any]) -> Iterator[tuple[object, ...]]:
    yield (
        name,
        "prices",
        *_rounded(result["network_left_out"]),
        *_interval(result["network_left_out"]),
    )
    yield name, "MACs alone", *_rounded(result["macs_alone"]), "", ""


def _interval(row: dict[str, float]) -> tuple[str, str]:
    return f"{row['coverage_percent']:.0f}", f"{row['width']:.2f}"


def _facts(name: str, result: dict[str, Any]) -> Iterator[tuple[object, ...]]:
    for fact in result["facts"]:
        within = f"{fact['left_out_low_ms']} to {fact['left_out_high_ms']}"
        yield (
            name, fact["fact"], fact["software"], fact["ms"],
            f"{fact['left_out_error_percent']:+.1f}",
            within + ("" if fact["left_out_covered"] else ", missed"),
            fact["fitted_ms"], f"{fact['error_percent']:+.1f}",
        )  # fmt: skip


def _rounded(row: dict[str, float]) -> list[str]:
    return [f"{row[key]:.4g}" for key in _KEYS]


def _ethos_u(name: str, result: dict[str, Any]) -> Iterator[tuple[object, ...]]:
    trained = f"of {result['trained_on']:,}"
    for size, key in (("360x640", "model"), ("own sizes", "own_sizes")):
        for form, row in result[key].items():
            yield name, f"{trained}; {size}, {form}", *_figures(row), *_interval(row)
    models = {"MACs": result["macs_alone"]}
    models |= {f"of 10, {donor}": row for donor, row in result["from_ten_measurements"].items()}
    for what, row in models.items():
        yield name, what, *_figures(row), "", ""


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
