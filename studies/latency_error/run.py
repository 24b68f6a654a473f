"""Measures the errors of the latency regressions on networks that they were not fitted to.

    python -m studies.latency_error.run [--tables DIR] [--host DIR]

Evaluates the devices whose times are published, the calibration of RK3588, and the speed, in about
a minute on 2 cores. With ``--tables`` it also evaluates the regressions of the Ethos-U on the
tables that tables.py writes, and with ``--host`` that of this machine on the folder of host.py.
Results of parts that are left out stay as they are. Writes ``results.json`` and ``README.md``
beside this file, and the plots in the devices' folders.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import random
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from latency_models.device import load_device
from latency_models.sources.regression import CostStructure, Measurement
from latency_models.sources.regression.defaults import default_structure
from latency_models.sources.regression.fitted import Fit, FitOfPrices, fit, folds, network_ms
from latency_models.sources.regression.model import LatencyModel, fit_model
from latency_models.sources.regression.settings import TABLE, RegressionSettings
from latency_models.sources.regression.source import fitted_model, read_table
from latency_models.sources.regression.transfer import transfer
from latency_models.sources.regression.validation import (
    Prediction,
    accuracy,
    cross_validate,
    cross_validate_structures,
    macs_alone,
    predict_rows,
)
from latency_models.sources.rknn.settings import RknnSettings
from nas.system.files import write_json
from search_spaces import InputSpec, lower
from search_spaces.spaces.enumeration import RandomTrial
from search_spaces.spaces.loading import load_space

from .ethos_u import COMPILED, by_form, predictions_without_cpu, structure_of
from .page import DIMENSITY, VS680, page
from .plot import predicted_against_measured
from .published import DEVICES
from .rknn_fitting import fit_calibration, read_layer_times

HERE = Path(__file__).parent
ARCHITECTURES = 10_000
TRANSFERRED, FRESH = 10, 300


def draw(name: str, predictions: Sequence[Prediction]) -> None:
    """Writes the plot beside the device's card."""
    device = load_device(name)
    picture = predicted_against_measured(predictions, device.title.replace("&", "and"))
    (DEVICES / name / "predicted.svg").write_text(picture)


def load(name: str) -> tuple[CostStructure, tuple[Measurement, ...]]:
    """Returns the cost structure and the table of a device that comes with the package."""
    device = load_device(name)
    assert isinstance(device.settings, RegressionSettings)
    return device.settings.structure, read_table(device.folder / device.settings.table)


def figures(predictions: Sequence[Prediction]) -> dict[str, float]:
    """Returns the accuracy of predictions, rounded for results.json."""
    return {key: round(value, 4) for key, value in vars(accuracy(predictions)).items()}


def dimensity(name: str) -> dict[str, Any]:
    """Cross-validates by leaving out structures, then networks; MACs alone are the control."""
    structure, rows = load(name)
    by_structure = cross_validate_structures(structure, rows)
    by_network = cross_validate(structure, rows, [row.network for row in rows])
    draw(name, by_network)
    by_macs = [
        prediction
        for network in dict.fromkeys(row.network for row in rows)
        for prediction in macs_alone(
            [row for row in rows if row.network != network],
            [row for row in rows if row.network == network],
        )
    ]
    return {
        "structures_left_out": figures([p for found in by_structure.values() for p in found]),
        "structures": {name: figures(found) for name, found in by_structure.items()},
        "network_left_out": figures(by_network),
        "macs_alone": figures(by_macs),
        "prices": prices(fitted_model(structure, rows)),
    }


def vs680(name: str) -> dict[str, Any]:
    """Returns the error of each published time, as fitted and as predicted from all others."""
    structure, rows = load(name)
    model = fitted_model(structure, rows)
    left_out = cross_validate(structure, rows, [row.network for row in rows])
    by_name = {p.name: p for p in left_out}
    draw(name, left_out)
    return {
        "facts": [
            {
                "fact": row.name,
                "software": row.stack,
                "ms": p.measured_ms,
                "fitted_ms": round(p.ms, 2),
                "error_percent": round(100 * p.error, 1),
                "left_out_error_percent": round(100 * by_name[p.name].error, 1),
                "left_out_low_ms": round(by_name[p.name].low_ms, 1),
                "left_out_high_ms": round(by_name[p.name].high_ms, 1),
                "left_out_covered": by_name[p.name].covered,
            }
            for row, p in zip(rows, predict_rows(model, rows), strict=True)
        ],
        "left_out": figures(left_out),
        "prices": prices(model),
    }


def prices(model: LatencyModel) -> dict[str, Any]:
    """Returns each price's median and its standard deviation as a factor (two thirds within it)."""
    assert isinstance(model.fitted, FitOfPrices)
    best = model.fitted.posteriors[0].posterior
    terms, deviation = best.prices.terms, best.covariance.diagonal() ** 0.5
    named = [
        (f"{term.quantity} of {min(term.kinds)}", place)
        for place, term in enumerate(best.prices.structure.terms[index] for index in terms)
    ]
    constants = (*(best.prices.kinds), *(f"software {stack}" for stack in best.prices.stacks))
    named += [(name, place) for place, name in enumerate(constants, len(terms))]
    return {
        "noise_percent": round(100 * best.noise, 1),
        "paddings": {
            f"{one.posterior.padding.compute_channels}, {one.posterior.padding.memory_channels}":
            round(one.weight, 2)
            for one in model.fitted.posteriors
        },
        **{
            name: [float(f"{math.exp(best.mean[place]):.3g}"), round(math.exp(deviation[place]), 2)]
            for name, place in named
        },
    }  # fmt: skip


def without_cpu_times(rows: Sequence[Measurement]) -> list[Measurement]:
    """Returns the rows with the times of operators on the CPU, which are assumptions, set to 0."""
    kept = []
    for row in rows:
        times = tuple(
            0.0 if engine == "cpu" else ms
            for ms, engine in zip(row.operators_ms, row.engines, strict=True)
        )
        kept.append(replace(row, ms=sum(times), operators_ms=times))
    return kept


def ethos_u(tables: Path) -> dict[str, Any]:
    """Evaluates the regressions of the compiled devices, and their transfer to one another."""
    results: dict[str, Any] = {}
    shipped = {name: load(f"{name}-regression") for name in COMPILED}
    training = {name: without_cpu_times(rows) for name, (_, rows) in shipped.items()}
    unseen, sizes, structures = (
        {name: read_table(tables / name / part / TABLE) for name in COMPILED}
        for part in ("fresh", "sizes", "fresh-structures")
    )
    fresh = {name: without_cpu_times(rows) for name, rows in unseen.items()}
    donors: dict[str, Fit] = {
        name: fit(structure_of(rows), rows) for name, rows in training.items()
    }
    for name in COMPILED:
        results[name] = {
            "trained_on": shipped_model(name).networks,
            "model": by_form_figures(name, unseen[name]),
            "own_sizes": by_form_figures(name, sizes[name]),
            "structures": figures(predictions_without_cpu(shipped_model(name), structures[name])),
            "processor_seconds": processor_seconds(shipped_model(name), unseen[name]),
            "macs_alone": figures(macs_alone(training[name], fresh[name])),
            "from_ten_measurements": transfer_figures(name, training[name], fresh[name], donors),
        }
    return results


def by_form_figures(name: str, rows: Sequence[Measurement]) -> dict[str, dict[str, float]]:
    """Returns the accuracy of the shipped model for each form of writing networks."""
    return {
        form: figures(predictions_without_cpu(shipped_model(name), own))
        for form, own in by_form(rows).items()
    }


def shipped_model(name: str) -> LatencyModel:
    """Returns the shipped regression of the compiled device ``name``."""
    device = load_device(f"{name}-regression")
    assert isinstance(device.settings, RegressionSettings)
    return device.settings.fit(device.folder)


def processor_seconds(model: LatencyModel, rows: Sequence[Measurement]) -> float:
    """Returns the processor time to predict ``ARCHITECTURES`` networks, repeated from ``rows``."""
    networks = list(itertools.islice(itertools.cycle(row.operators for row in rows), ARCHITECTURES))
    started = time.process_time()
    model.predict(networks)
    return round(time.process_time() - started, 2)


def transfer_figures(
    name: str, training: list[Measurement], fresh: list[Measurement], donors: dict[str, Fit]
) -> dict[str, Any]:
    """Evaluates models of ``name`` that are transferred from other devices by ten measurements."""
    results = {}
    for donor, fitted in donors.items():
        if donor == name:
            continue
        transferred = transfer(fitted, training[:TRANSFERRED])
        predicted_ms = network_ms(transferred, [row.operators for row in fresh[:FRESH]]).tolist()
        results[f"from {donor}"] = figures(
            [
                Prediction(row.name, row.ms, ms, ms, ms)
                for row, ms in zip(fresh[:FRESH], predicted_ms, strict=True)
            ]
        )
    return results


def host(tables: Path) -> dict[str, Any]:
    """Evaluates a regression of this machine, and the difference of repeated measurements."""
    rows, fresh, again = (read_table(tables / part / TABLE) for part in ("train", "fresh", "again"))
    second_ms = {row.name: row.ms for row in again}
    repeated = [
        Prediction(row.name, row.ms, ms, ms, ms)
        for row in fresh
        if (ms := second_ms.get(row.name)) is not None
    ]
    return {
        "trained_on": len(rows),
        "model": figures(predict_rows(fit_model(default_structure(rows), rows), fresh)),
        "macs_alone": figures(macs_alone(rows, fresh)),
        "measured_again": figures(repeated),
    }


def rk3588() -> dict[str, Any]:
    """Evaluates the calibration on its table, and on layer sizes left out of the fit."""
    device = load_device("rk3588")
    assert isinstance(device.settings, RknnSettings)
    times = read_layer_times((device.folder / "layer_times.csv").read_text())
    per_cycle = device.settings.calibration.bytes_per_ddr_cycle
    whole = fit_calibration(times, per_cycle)
    sizes = [(time.layer.ddr_cycles, time.layer.npu_cycles) for time in times]
    fitted = [abs(whole.us(time.layer) / time.us - 1) for time in times]
    unseen = [
        abs(part.us(times[index].layer) / times[index].us - 1)
        for kept, others in folds(sizes, most_singly=len(times))
        for part in [fit_calibration([times[index] for index in kept], per_cycle)]
        for index in others
    ]
    return {
        "calibration": {key: round(value, 3) for key, value in vars(whole).items()},
        "layers": len(times),
        "sum_to_measured": round(
            sum(whole.us(time.layer) for time in times) / sum(time.us for time in times), 3
        ),
        "fitted": error_summary(fitted),
        "size_left_out": error_summary(unseen),
    }


def error_summary(errors: Sequence[float]) -> dict[str, float]:
    """Returns the mean and the 90 % quantile of absolute relative errors, in percent."""
    nine_of_ten = sorted(errors)[math.ceil(0.9 * len(errors)) - 1]
    return {
        "mean_percent": round(100 * sum(errors) / len(errors), 1),
        "nine_of_ten_percent": round(100 * nine_of_ten, 1),
    }


def speed() -> dict[str, float]:
    """Returns seconds to predict many networks of ``mobile``, and one; lowering is not counted."""
    space, spec = load_space("mobile"), InputSpec(360, 640)
    model = fitted_model(*load("dimensity8100-nnapi"))
    networks = [
        operators
        for seed in range(ARCHITECTURES)
        for operators in [lower(space.draw(RandomTrial(random.Random(seed)), 3).deployed, spec)]
    ]
    started = time.perf_counter()
    model.predict(networks)
    seconds = time.perf_counter() - started
    started = time.perf_counter()
    model.predict(networks[:1])
    return {
        "architectures": len(networks),
        "seconds": round(seconds, 2),
        "one_network_seconds": round(time.perf_counter() - started, 4),
    }


def main() -> None:
    """Evaluates all parts that are asked for, and writes and prints the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tables", type=Path, help="folder written by tables.py")
    parser.add_argument("--host", type=Path, help="folder written by host.py")
    options = parser.parse_args()
    results_file = HERE / "results.json"
    results: dict[str, Any] = json.loads(results_file.read_text()) if results_file.exists() else {}
    results |= {name: dimensity(name) for name in DIMENSITY}
    results |= {name: vs680(name) for name in VS680}
    results |= {"rk3588": rk3588(), "speed": speed()}
    if options.tables:
        results["ethos_u"] = ethos_u(options.tables)
    if options.host:
        results["host"] = host(options.host)
    write_json(results_file, results)
    (HERE / "README.md").write_text(page(results))
    print(page(results))


if __name__ == "__main__":
    main()
