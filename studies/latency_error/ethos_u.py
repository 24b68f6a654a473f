"""Writes the folders of the Ethos-U regressions, with their errors.

    python -m studies.latency_error.ethos_u TABLES

writes each folder again: a table from ``TABLES/DEVICE/train/measurements.csv``, device.toml, and a
card with the errors of the folder's neural network on the tables of networks it has not seen.
"""

from __future__ import annotations

import argparse
import gzip
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from latency_models.device import Device, load_device
from latency_models.device_file import device_toml
from latency_models.sources.regression import (
    ChannelPadding,
    CostStructure,
    Measurement,
    write_measurements,
)
from latency_models.sources.regression.defaults import default_structure
from latency_models.sources.regression.enlargement import name_of
from latency_models.sources.regression.model import LatencyModel
from latency_models.sources.regression.settings import TABLE, RegressionSettings
from latency_models.sources.regression.source import read_table
from latency_models.sources.regression.validation import Accuracy, Prediction, accuracy
from nas.latency.fit import settings_of
from nas.system.files import write_whole

from .plot import predicted_against_measured
from .published import DEVICES

COMPILED = ("ethos-u55-256", "ethos-u65-512", "ethos-u85-512", "ethos-u85-1024")
PACKED = f"{TABLE}.gz"
#: Weights of the neural network, beside the table.
NETWORK = "operators.npz"
#: Rows of the table that comes with a device: networks for x3 at 360x640, and the number of
#: networks for each operator that is rare in these.
SHIPPED, SHIPPED_PER_OPERATOR = 300, 3
#: Operators that cost nothing, since they move no data.
FREE = frozenset({"RESHAPE"})
#: Columns of a card's table of errors.
_COLUMNS = (
    "networks", "mean error, %", "within 5 %, %", "within 10 %, %", "largest error, %",
    "Spearman correlation", "coverage of the interval, %", "width of the interval",
)  # fmt: skip
#: The multiplier array of every Ethos-U processes channels by sixteen at one end.
PADDING = ChannelPadding(16, 16)


def shipped_table(name: str) -> tuple[Measurement, ...]:
    """Returns the table that comes with the regression of the compiled device ``name``."""
    return read_table(DEVICES / f"{name}-regression" / PACKED)


def ship_table(name: str, rows: Sequence[Measurement]) -> None:
    """Writes the first ``SHIPPED`` rows of the usual size and scale into the folder of ``name``.

    The first rows with operators that these lack follow.
    """
    chosen = [row for row in rows if _is_usual(row)][:SHIPPED]
    counts = Counter(operator for row in chosen for operator in _names(row))
    known = {row.name for row in chosen}
    for row in rows:
        rare = {name for name in _names(row) if counts[name] < SHIPPED_PER_OPERATOR}
        if rare and row.name not in known:
            chosen.append(row)
            counts.update(_names(row))
    data = gzip.compress(write_measurements(chosen).encode(), mtime=0)
    write_whole(DEVICES / f"{name}-regression" / PACKED, data)


def _names(row: Measurement) -> set[str]:
    return {name_of(operator) for operator in row.operators}


def _is_usual(row: Measurement) -> bool:
    image, result = row.operators[0].inputs[0].shape, row.operators[-1].outputs[0].shape
    return image[:2] == (360, 640) and result[:2] == (3 * 360, 3 * 640)


def structure_of(rows: Sequence[Measurement]) -> CostStructure:
    """Returns the cost structure that is assumed before the fit."""
    found = default_structure(rows)
    terms = (replace(term, kinds=term.kinds - FREE) for term in found.terms)
    return replace(
        found,
        terms=tuple(term for term in terms if term.kinds),
        paddings=(PADDING,),
        free=FREE & {kind for engine in found.engines for kind in engine.kinds},
    )


def is_deployed(row: Measurement) -> bool:
    """Returns whether the network is as the devices deploy it, without DEPTH_TO_SPACE."""
    return all(operator.kind != "DEPTH_TO_SPACE" for operator in row.operators)


def by_form(rows: Sequence[Measurement]) -> dict[str, list[Measurement]]:
    """Groups rows into networks as the devices deploy them, and others."""
    return {
        "as deployed": [row for row in rows if is_deployed(row)],
        "with DEPTH_TO_SPACE": [row for row in rows if not is_deployed(row)],
    }


def predictions_without_cpu(model: LatencyModel, rows: Sequence[Measurement]) -> list[Prediction]:
    """Predicts times without operators of assumed prices, which are those left to the CPU.

    The whole interval of a network is that of the other operators, since those prices are exact.
    """
    import numpy as np

    predicted = model.predict([row.operators for row in rows])
    is_fitted = predicted.table.is_one_of(model.structure.open_kinds)
    measured = np.concatenate([row.operators_ms for row in rows])
    ms, measured_ms = (
        predicted.table.per_network(np.where(is_fitted, times, 0.0)).tolist()
        for times in (predicted.operator_ms, measured)
    )
    below, above = (
        (predicted.ms - predicted.low_ms).tolist(),
        (predicted.high_ms - predicted.ms).tolist(),
    )
    return [
        Prediction(row.name, true, mean, max(mean - down, 0.0), mean + up)
        for row, true, mean, down, up in zip(rows, measured_ms, ms, below, above, strict=True)
    ]


def predictions_for(name: str, rows: Sequence[Measurement]) -> list[Prediction]:
    """Returns predictions of the regression of the compiled device ``name`` for ``rows``."""
    device = load_device(f"{name}-regression")
    assert isinstance(device.settings, RegressionSettings)
    return predictions_without_cpu(device.settings.fit(device.folder), rows)


def write_device(name: str, unseen: Mapping[str, Sequence[Measurement]]) -> None:
    """Writes the folder of the regression of the compiled device ``name``.

    ``unseen`` has networks that the regression was not fitted to, keyed by their sizes of images.
    """
    compiled, folder = load_device(name), DEVICES / f"{name}-regression"
    structure = structure_of(shipped_table(name))
    settings = settings_of(structure).model_copy(
        update={"confirm": name, "table": PACKED, "network": NETWORK}
    )
    device = compiled.model_copy(
        update={
            "name": folder.name,
            "title": f"{compiled.title}, predicted",
            "settings": settings,
            "folder": folder,
        }
    )
    write_whole(folder / "device.toml", device_toml(device).encode())
    predictions = {
        f"{size}, {form}": predictions_for(name, rows)
        for size, all_rows in unseen.items()
        for form, rows in by_form(all_rows).items()
    }
    as_deployed = [
        one for form, all_of in predictions.items() if "deployed" in form for one in all_of
    ]
    picture = predicted_against_measured(as_deployed, device.title)
    write_whole(folder / "predicted.svg", picture.encode())
    text = card(device, name, settings.fit(folder), predictions)
    write_whole(folder / "README.md", text.encode())


def card(
    device: Device, compiled: str, model: LatencyModel, predictions: dict[str, list[Prediction]]
) -> str:
    """Returns the text of README.md."""
    pixels = model.pixels
    counts = Counter(operator.kind for row in model.rows for operator in row.operators)
    seen = ", ".join(f"{kind} {count}" for kind, count in sorted(counts.items()))
    figures = "\n".join(
        f"| {_figures(what, accuracy(told))} |" for what, told in predictions.items()
    )
    header = f"| {' | '.join(_COLUMNS)} |\n|{'---|' * len(_COLUMNS)}"
    return f"""# {device.title}

This regression predicts the times that the compiler estimates for `{compiled}`, from the operators
alone and some hundred times as fast: no network is converted, compiled or measured. It is meant for
searches with many candidates; the best ones should be compiled (`confirm` in device.toml names the
compiled device).

`{NETWORK}` has the weights of a small neural network that predicts the time of each operator from
the operator and those around it. It was trained on {model.networks:,} architectures compiled by
{device.stack}: most of the space `mobile` for x3, at 360x640 and at sizes of {pixels.least:,.0f} to
{pixels.most:,.0f} pixels, some of other spaces and scales, and some of a space of
[other structures](../../../studies/latency_error/structures.py). Most are in the form that the
device deploys, where convolutions produce the pixels row by row, and some have DEPTH_TO_SPACE.
`{PACKED}` has the compiled times of {SHIPPED} of them for x3 at {device.input}, from which models
of other devices may start, and of a few networks for each operator that these lack.

## Error

Predictions are compared with the compiler's times, without operators that it leaves to the CPU, for
networks for x3 that were drawn with other random seeds: networks of `mobile` at 360x640; networks
of `mobile` at different sizes with heights of 64 to 720; and networks of the other structures at
both. The interval should contain 90 % of the compiled times; its width is the ratio of the upper to
the lower bound.

{header}
{figures}

![predicted against compiled](predicted.svg)

The interval depends on the operators: it is narrow if the network's time could be learned well from
its kinds of operators, and wide if most of the time is spent in operators of a variant (kernel,
dilation, stride, groups) that the training networks lack. The deviation of the compiler's estimates
from real hardware comes in addition; see the card of `{compiled}`. Most large errors are those of
convolutions that the compiler runs from SRAM or not, depending on what else is in the SRAM.

## Operators that the NPU leaves to the CPU

Operators of the engine `cpu` have the time that they have on `{compiled}`, since that time is an
assumed price per byte, or per multiply-accumulate of a convolution; only convolutions of very few
channels, which are limited by the bytes there, have a shorter time here. If the engine depends on
the factor by which an operator enlarges, device.toml names the operator with the factor.

Number of operators of each kind in the table: {seen}.
"""


def _figures(what: str, found: Accuracy) -> str:
    numbers = (
        f"{found.networks:,}: {what}", f"{found.mape_percent:.1f}",
        f"{found.within_5_percent:.0f}", f"{found.within_10_percent:.1f}",
        f"{found.largest_error_percent:.0f}", f"{found.spearman:.3f}",
        f"{found.coverage_percent:.0f}", f"{found.width:.2f}",
    )  # fmt: skip
    return " | ".join(numbers)


def main() -> None:
    """Writes the folders of all devices."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tables", type=Path, help="folder written by tables.py")
    tables = parser.parse_args().tables
    for name in COMPILED:
        train, structures, scales, fresh, sizes, others = (
            read_table(tables / name / part / TABLE)
            for part in ("train", "structures", "scales", "fresh", "sizes", "fresh-structures")
        )
        ship_table(name, [*train, *structures, *scales])
        unseen = {"360x640": fresh, "different sizes": sizes, "other structures": others}
        write_device(name, unseen)


if __name__ == "__main__":
    main()
