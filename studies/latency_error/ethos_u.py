"""The regressions of the Ethos-U devices: their folders, and how far off they are.

    python -m studies.latency_error.ethos_u [TABLES]

writes the folders anew, of the tables they hold or of ``TABLES/DEVICE/train/measurements.csv``.
"""

from __future__ import annotations

import argparse
import gzip
from collections import Counter
from collections.abc import Sequence
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
from latency_models.sources.regression.fitted import folds
from latency_models.sources.regression.model import LatencyModel, fit_model
from latency_models.sources.regression.settings import TABLE
from latency_models.sources.regression.source import read_table
from latency_models.sources.regression.validation import Accuracy, Prediction, accuracy
from nas.latency.fit import settings_of
from nas.system.files import write_whole

from .plot import predicted_against_measured
from .published import DEVICES

COMPILED = ("ethos-u55-256", "ethos-u65-512", "ethos-u85-512", "ethos-u85-1024")
FOLDS = 5
PACKED = f"{TABLE}.gz"
#: The array of every one of them takes channels by sixteen at one end.
PADDING = ChannelPadding(16, 16)


def shipped_table(name: str) -> tuple[Measurement, ...]:
    """The rows that the regression of the compiled device ``name`` is fitted to."""
    return read_table(DEVICES / f"{name}-regression" / PACKED)


def structure_of(rows: Sequence[Measurement]) -> CostStructure:
    """What is known before the fit."""
    return replace(default_structure(rows), paddings=(PADDING,))


def own_time(model: LatencyModel, rows: Sequence[Measurement]) -> list[Prediction]:
    """The compiler's own time: what it leaves to the CPU has an assumed price, and is left out."""
    import numpy as np

    said = model.predict([row.operators for row in rows])
    priced = np.isin(said.table.kind, sorted(model.structure.open_kinds))
    measured = np.concatenate([row.operators_ms for row in rows])
    ms, told = (
        said.table.per_network(np.where(priced, times, 0.0)).tolist()
        for times in (said.operator_ms, measured)
    )
    low, high = (said.low_ms / said.ms).tolist(), (said.high_ms / said.ms).tolist()
    return [
        Prediction(row.name, true, mean, mean * below, mean * above)
        for row, true, mean, below, above in zip(rows, told, ms, low, high, strict=True)
    ]


def left_out(rows: Sequence[Measurement]) -> list[Prediction]:
    """Each network by a model of four fifths that do not hold it."""
    predictions: list[Prediction] = []
    for kept, others in folds([index % FOLDS for index in range(len(rows))]):
        model = fit_model(structure_of(rows), [rows[index] for index in kept])
        predictions += own_time(model, [rows[index] for index in others])
    return predictions


def write_device(name: str, rows: Sequence[Measurement]) -> None:
    """The folder of the regression on ``rows``, of the compiled device ``name``."""
    compiled, folder = load_device(name), DEVICES / f"{name}-regression"
    folder.mkdir(exist_ok=True)
    table = write_measurements(rows).encode()
    write_whole(folder / PACKED, gzip.compress(table, compresslevel=9, mtime=0))
    settings = settings_of(structure_of(rows)).model_copy(update={"confirm": name, "table": PACKED})
    device = compiled.model_copy(
        update={
            "name": folder.name,
            "title": f"{compiled.title}, predicted",
            "settings": settings.with_interval(folder),
            "folder": folder,
        }
    )
    write_whole(folder / "device.toml", device_toml(device).encode())
    predictions = left_out(rows)
    picture = predicted_against_measured(predictions, device.title)
    write_whole(folder / "predicted.svg", picture.encode())
    write_whole(folder / "README.md", card(device, name, rows, accuracy(predictions)).encode())


def card(device: Device, compiled: str, rows: Sequence[Measurement], figures: Accuracy) -> str:
    """The text of README.md."""
    counts = Counter(operator.kind for row in rows for operator in row.operators)
    seen = ", ".join(f"{kind} {count}" for kind, count in sorted(counts.items()))
    return f"""# {device.title}

What the compiler says of `{compiled}`, predicted from the operators alone, some hundred times as
fast: nothing is converted, compiled or measured. For searches over many candidates; the best are
worth compiling (`confirm` in device.toml names the compiled device).

`{PACKED}` holds {len(rows)} architectures of the space `mobile`, x3 at {device.input}, drawn at
random and compiled by {device.stack}, with the time of each operator. They are refitted when the
device is loaded: prices for padded multiply-accumulates, bytes and operators, none negative, and
trees that learn what these leave of each operator's time.

## Error

Against the compiler, on its own time (without what it leaves to the CPU), each network predicted by
a model of four fifths that do not hold it:

| mean error % | within 5 % | within 10 % | largest % | Spearman | inside the interval % |
|---|---|---|---|---|---|
| {figures.mape_percent:.1f} | {figures.within_5_percent:.0f} | {figures.within_10_percent:.0f} \
| {figures.largest_error_percent:.0f} | {figures.spearman:.3f} | {figures.coverage_percent:.0f} |

![predicted against compiled](predicted.svg)

The compiler's own distance from silicon comes on top; see the card of `{compiled}`. What is far off
is mostly a convolution that the compiler runs from SRAM or not, as its SRAM happens to last.

## What the NPU leaves to the CPU

The operators of the engine `cpu` cost here what they cost on `{compiled}`, to the digit: the prices
are assumed there and not fitted here. At scales other than x3 the compiler may leave others.

Operators seen, with their number: {seen}.
"""


def main() -> None:
    """All folders."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tables", type=Path, nargs="?")
    tables = parser.parse_args().tables
    for name in COMPILED:
        given = read_table(tables / name / "train" / TABLE) if tables else shipped_table(name)
        write_device(name, given)


if __name__ == "__main__":
    main()
