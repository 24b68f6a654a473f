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

`python -m studies.latency_error.run [--tables DIR] [--host DIR]` repeats the evaluation;
[results.json](results.json) has all figures, including Kendall's tau and the coverage.

All errors are those of predictions for networks that the model was not fitted to, except where an
error of the fit is named. A *price* is a coefficient of a model: the time for one unit of an
operator's work. The intervals are meant to contain 90 % of the measured times; their width is the
ratio of the upper to the lower bound, as a geometric mean over the networks.
"""
_ERROR, _WITHIN = "mean error, %", "within 10 %, % of networks"
_LARGEST = "largest error, %"
_INTERVAL = ("coverage of the 90 % interval, %", "interval width (upper / lower bound)")
_SPEARMAN = "Spearman correlation"
_BY_MACS = "multiply-accumulates alone"
#: How the models were made, which the figures do not show.
_CAVEATS = """
## How to read these figures

- Dimensity 8100: the terms of the model, the fused operators and the padding of channels to
  multiples of four were chosen with these tables in view, although not by looking at single rows.
  The rows with a folded residual show that 36 or 44 channels cost no more than their
  multiply-accumulates suggest, and that a PReLU after a convolution has no visible cost. The two
  networks with two branches show that adding the results of two convolutions costs less than
  writing one result. The prior expectations of the prices come from VS680 and Ethos-U only. When a
  structure is left out, everything is estimated without it: prices, padding, noise, and the number
  of standard deviations that the interval covers.
- When a structure is left out, the prices of the operators that only it contains are not measured
  any more. If all networks that add the image are left out, only the expectation from other devices
  remains. It is uncertain by a factor of about three in either direction, which the interval
  reflects. Only FSRCNN has a transposed convolution, and the prior contains no specific price for
  that operator.
- VS680: it was assumed that the clips of XLSR and ABPN are done by saturation and that PRPSR's is a
  separate operator, because this fits the published times. The widths of three of the 13 graphs are
  inferred. XLSR compiled on the board and PureConvSR are more than 20 % off the fit. Relative to
  each other, the first is slower and the second is faster with the later software than the same
  layers are with the software of 2021. One factor per software version does not fit both, and one
  factor for each of its engines (tried) fits them no better.
- Ethos-U: the time of an operator is the longer of arithmetic and memory transfers; both depend on
  how many rows of which tensors the compiler keeps in its 384 KB of SRAM. A neural network over the
  sequence of operators predicts these times. Besides the figures of each operator, its input
  features say which chains of operators could run interleaved within the SRAM in the first step of
  Vela's scheduling, which tensors are stored pixel by pixel because parts of them are written or
  read, and whether blocks of rows and columns end at the edge of the tensor. It was trained from
  random weights on 12,312 networks, on all devices together and then on each device separately.
  Features and layers were chosen by the errors on the first 400 networks of the training table,
  which are excluded from all trainings.
- Ethos-U: the training was then continued for each device (`ethos_u_training --continue`) on
  networks of today's `mobile`, whose transposed convolutions of 3x3 the first training lacks, on
  networks of other structures (`structures.py`) and of other scales. Before, the regressions were
  within 10 % for 99.1, 98.7, 90.7 and 88.6 % of the 1,000 networks of `mobile` at 360x640, in the
  order of the table, and for 36, 27, 32 and 31 % of the 400 of other structures. They refused two
  thirds of those, for operators that they had never seen; of a sample of 13 others, their
  intervals, which were one for 360x640 and one for other sizes, contained 8 to 38 %.
- Ethos-U: the interval follows from the error that is expected of a network, which a second output
  predicts. It was fitted to the errors of 800 networks that were not trained on: of `mobile`, of
  other structures, and of other scales. Its width relative to the expected error is the largest
  that one of these three groups needs, so that the intervals of the others are wide. The largest
  expected error was limited after a look at the widths for the test networks; nothing else was
  chosen by them. The test networks were drawn with other random seeds.
- Ethos-U: the goal at 360x640, 95 % of the networks within 10 %, is missed on the U85. The error on
  the networks that it was trained on is about half as large: more networks would reduce it further.
- Ethos-U: most of the remaining large errors have one of two causes. A transposed convolution takes
  several times as long if its input does not fit into the SRAM. On the Ethos-U85, a first or last
  convolution with few channels may take twice as long, depending on how the compiler divides the
  image into blocks.
- Ethos-U: the files for the compiler were written directly from the operators, which is much faster
  than converting them. Twelve networks were also converted by TensorFlow, with weights similar to
  trained ones: seven of them took exactly the same number of cycles on an Ethos-U85, and the others
  differed by at most 0.06 %.
- Ethos-U, "transferred by 10 measurements": prices and trees were fitted to the 300 networks of the
  other device's table and adapted by ten measurements of this device. The 300 networks for testing
  these models were drawn before those of the other rows.
- Host: the prices of each kind of operator were chosen on the measurements of another machine.
  `host.py` makes the measurements of this table. The second measurement shows the best accuracy
  that can be reached.
- RK3588: the constants have not been compared with a measured super-resolution network.
"""
#: Names of structures of ``results.json`` -> their descriptions.
_RESIDUALS = {
    "the image added": "all networks that add the image to features",
    "features added": "all networks that add features to features",
    "branches concatenated": "all networks that concatenate branches",
}


def page(results: dict[str, Any]) -> str:
    """Returns the text of README.md."""
    return "\n".join(_sections(results))


def _sections(results: dict[str, Any]) -> Iterator[str]:
    yield _HEAD
    yield "## Dimensity 8100: whole structures left out of the fit\n"
    yield (
        "A structure is a family of networks, all networks with one operator, or all networks\n"
        "with one kind of residual. Its networks are predicted by a model that was fitted to all\n"
        "other networks.\n"
    )
    yield _table(
        ("device", "left out of the fit", "networks", _ERROR, _WITHIN, _LARGEST, *_INTERVAL),
        (row for name in DIMENSITY for row in _structures(name, results[name])),
    )
    yield "## Dimensity 8100: single networks left out of the fit, each at all scales\n"
    yield _table(
        ("device", "model", _ERROR, _WITHIN, _SPEARMAN, _LARGEST, *_INTERVAL),
        (row for name in DIMENSITY for row in _networks(name, results[name])),
    )
    rate = results["speed"]
    yield (
        f"The regression of dimensity8100-nnapi predicts {rate['architectures']:,} architectures "
        f"in {rate['seconds']} s.\n"
    )
    yield "## VS680: published times\n"
    yield (
        "Each published time is predicted by a model that was fitted to the others only, and by\n"
        "the model that was fitted to all of them. Software `2021` is that of the Mobile AI 2021\n"
        "report, `later` is newer. *Inferred*: the width of the network is not published.\n"
    )
    yield _table(
        ("device", "published fact", "software", "published, ms", "predicted from the others: "
         "error, %", "predicted from the others: 90 % interval, ms", "fitted to all, ms",
         "error of the fit, %"),
        (row for name in VS680 for row in _facts(name, results[name])),
    )  # fmt: skip
    if "ethos_u" in results:
        yield "## Ethos-U: times estimated by the compiler, without operators left to the CPU\n"
        yield (
            "The test networks are networks of the space `mobile`, x3, and of other structures.\n"
            "They come from tables made by `tables.py`, which are not part of this repository.\n"
            "The image is 360x640, or each network has its own image size, with a height of 64 to\n"
            "720; for other structures it is the one for half of the networks and the other for\n"
            "the rest. *As deployed*: pixels are produced row by row, as the devices do it; the\n"
            "others use DEPTH_TO_SPACE.\n"
        )
        yield _table(
            ("device", "model and test networks", "number of test networks", _ERROR, _WITHIN,
             _SPEARMAN, *_INTERVAL),
            (row for name, part in results["ethos_u"].items() for row in _ethos_u(name, part)),
        )  # fmt: skip
        seconds = max(part["processor_seconds"] for part in results["ethos_u"].values())
        yield f"Predicting 10,000 of these networks takes {seconds} s of processor time.\n"
    if "host" in results:
        yield "## Host: one core of the machine that ran the study, LiteRT with XNNPACK\n"
        yield "Test networks: networks of `mobile` at 360x640, x3, that the model has not seen.\n"
        yield _table(
            ("predicted by", "networks", _ERROR, _WITHIN, _SPEARMAN, _LARGEST),
            _host(results["host"]),
        )
    board = results["rk3588"]
    yield "## RK3588: time of a layer, calculated from the compiler's cycles\n"
    yield _table(
        ("layers", _ERROR, "90 % quantile of the error, %"),
        (
            (f"{board['layers']} layers, {what}", board[key]["mean_percent"],
             board[key]["nine_of_ten_percent"])
            for what, key in (
                ("error of the fit", "fitted"),
                ("all layers of the same size left out of the fit", "size_left_out"),
            )
        ),
    )  # fmt: skip
    yield _CAVEATS.strip() + "\n"


def _structures(name: str, result: dict[str, Any]) -> Iterator[tuple[object, ...]]:
    parts = {"all structures below": result["structures_left_out"]}
    parts |= {_structure_title(key): row for key, row in result["structures"].items()}
    for what, row in parts.items():
        yield (
            name, what, row["networks"], f"{row['mape_percent']:.1f}",
            f"{row['within_10_percent']:.0f}", f"{row['largest_error_percent']:.0f}",
            *_interval(row),
        )  # fmt: skip


def _structure_title(name: str) -> str:
    if name in _RESIDUALS:
        return _RESIDUALS[name]
    return name if name.startswith("family ") else f"all networks {name}"


def _networks(name: str, result: dict[str, Any]) -> Iterator[tuple[object, ...]]:
    yield (
        name,
        "regression",
        *_rounded(result["network_left_out"]),
        *_interval(result["network_left_out"]),
    )
    yield name, _BY_MACS, *_rounded(result["macs_alone"]), "", ""


def _interval(row: dict[str, float]) -> tuple[str, str]:
    return f"{row['coverage_percent']:.0f}", f"{row['width']:.2f}"


def _facts(name: str, result: dict[str, Any]) -> Iterator[tuple[object, ...]]:
    for fact in result["facts"]:
        within = f"{fact['left_out_low_ms']} to {fact['left_out_high_ms']}"
        yield (
            name, fact["fact"].replace(", later", ""), fact["software"], fact["ms"],
            f"{fact['left_out_error_percent']:+.1f}",
            within + ("" if fact["left_out_covered"] else " (published time outside)"),
            fact["fitted_ms"], f"{fact['error_percent']:+.1f}",
        )  # fmt: skip


def _rounded(row: dict[str, float]) -> list[str]:
    return [f"{row[key]:.4g}" for key in _KEYS]


def _ethos_u(name: str, result: dict[str, Any]) -> Iterator[tuple[object, ...]]:
    trained = f"regression fitted to {result['trained_on']:,} networks"
    for size, key in (("360x640", "model"), ("own image sizes", "own_sizes")):
        for form, row in result[key].items():
            yield name, f"{trained}; {size}, {form}", *_figures(row), *_interval(row)
    structures = result["structures"]
    yield name, f"{trained}; other structures", *_figures(structures), *_interval(structures)
    models = {_BY_MACS: result["macs_alone"]}
    models |= {
        f"regression transferred {donor} by 10 measurements": row
        for donor, row in result["from_ten_measurements"].items()
    }
    for what, row in models.items():
        yield name, what, *_figures(row), "", ""


def _host(result: dict[str, Any]) -> Iterator[tuple[object, ...]]:
    parts = {
        f"regression fitted to {result['trained_on']} networks": result["model"],
        _BY_MACS: result["macs_alone"],
        "second measurement of the same networks": result["measured_again"],
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
