"""Compares latency models fitted to 24 planned networks with those of 24 and 100 random ones.

    python -m studies.latency_probe.run [--compiled FOLDER]

compiles the planned networks for Ethos-U devices, in some minutes on 2 cores, and writes
``results.json`` and ``README.md`` beside this file. Random networks, and the networks to test on,
come from the tables of the devices' regressions. With ``--compiled`` the tables of the planned
networks are kept in that folder, and the same command continues them.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from latency_models import Worker
from latency_models.device import load_device, open_source
from latency_models.sources.regression import Engine, Measurement
from latency_models.sources.regression.defaults import default_structure, possible_structures
from latency_models.sources.regression.design import d_optimal, possible_prices
from latency_models.sources.regression.model import fit_model
from latency_models.sources.regression.validation import Accuracy, accuracy, predict_rows
from nas.latency.bench import DeviceBench
from nas.latency.probe import ProbeDesign, run_probe
from nas.latency.probe_pool import small_probes
from nas.system.files import write_json, write_text

from ..latency_error.ethos_u import FREE, predictions_without_cpu, shipped_table
from .page import page

DEVICES = ("ethos-u55-256", "ethos-u65-512", "ethos-u85-512")
SCALE, PLANNED, RANDOM = 3, 24, 100
#: Number of networks that the plan of whole networks is chosen from.
POOL = 96
#: Number of networks at the end of a table of 300 that are kept for testing.
_TEST_NETWORKS = 60
_STARTS = (0, 24, 48, 72)
_SHOWN = ("mape_percent", "within_10_percent", "coverage_percent", "width", "spearman")


def compile_small_networks(name: str, folder: Path, worker: Worker) -> tuple[Measurement, ...]:
    """Compiles the small networks that a board would be probed with."""
    device = load_device(name)
    source = open_source(device, worker)
    bench = DeviceBench(device, source, worker, folder / name / "small", f"small x{SCALE}")
    return run_probe(bench, ProbeDesign(small_probes(device.input, SCALE)), print).rows


def planned_networks(drawn: Sequence[Measurement]) -> tuple[Measurement, ...]:
    """Selects the networks that a compiler would be probed with, from compiled networks."""
    networks = [row.operators for row in drawn[:POOL]]
    every = {operator.kind for operators in networks for operator in operators}
    computing = {k.kind for operators in networks for k in operators if k.macs}
    structures = possible_structures((Engine("device", frozenset(every)),), computing)
    kinds = [{operator.kind for operator in operators} for operators in networks]
    holds = np.array([[kind in found for kind in sorted(every)] for found in kinds])
    places = d_optimal(possible_prices(structures, networks), PLANNED, holds=holds)
    return tuple(drawn[place] for place in places)


def _without_free(row: Measurement) -> Measurement:
    """Removes the operators that cost nothing on these devices, which a probe does not cover."""
    kept = [place for place, operator in enumerate(row.operators) if operator.kind not in FREE]
    return replace(
        row,
        operators=tuple(row.operators[place] for place in kept),
        operators_ms=tuple(row.operators_ms[place] for place in kept),
        engines=tuple(row.engines[place] for place in kept),
    )


def network_times_only(rows: Sequence[Measurement]) -> tuple[Measurement, ...]:
    """Returns the rows as a board gives them: with the time of the whole network only."""
    return tuple(replace(row, operators_ms=(), engines=()) for row in rows)


def errors_on(rows: Sequence[Measurement], fresh: Sequence[Measurement]) -> dict[str, Any]:
    """Returns errors on ``fresh`` of a fit with operators' times and of one with networks' times.

    Networks with operators that are not among ``rows`` are left out: a fit refuses them.
    """
    kinds = {operator.kind for row in rows for operator in row.operators}
    fresh = [row for row in fresh if kinds.issuperset(o.kind for o in row.operators)]
    by_operators = fit_model(default_structure(rows), rows)
    by_networks = fit_model(default_structure(network_times_only(rows)), network_times_only(rows))
    return {
        "operators": len([operator for row in rows for operator in row.operators]),
        "judged": len(fresh),
        "whole": _figures(accuracy(predict_rows(by_networks, network_times_only(fresh)))),
        "told": _figures(accuracy(predictions_without_cpu(by_operators, fresh))),
    }


def _figures(accuracy: Accuracy) -> dict[str, float]:
    return {key: round(getattr(accuracy, key), 4) for key in _SHOWN}


def _mean(results: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return {
        "operators": round(fmean(result["operators"] for result in results)),
        "judged": round(fmean(result["judged"] for result in results)),
        **{
            how: {key: fmean(result[how][key] for result in results) for key in _SHOWN}
            for how in ("whole", "told")
        },
    }


def device_results(name: str, folder: Path, worker: Worker) -> dict[str, Any]:
    """Returns the results of one device."""
    table = [_without_free(row) for row in shipped_table(name)]
    fresh, drawn = table[-_TEST_NETWORKS:], table[:-_TEST_NETWORKS]
    results = {
        "small": errors_on(compile_small_networks(name, folder, worker), fresh),
        "networks": errors_on(planned_networks(drawn), fresh),
    }
    results["random"] = _mean([errors_on(drawn[at : at + PLANNED], fresh) for at in _STARTS])
    results["more"] = _mean([errors_on(drawn[at : at + RANDOM], fresh) for at in (0, RANDOM)])
    return results


def main() -> None:
    """Evaluates all devices, and writes the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--compiled", type=Path, help="folder that keeps the compiled networks")
    with tempfile.TemporaryDirectory() as scratch, Worker() as worker:
        folder = parser.parse_args().compiled or Path(scratch)
        results = {name: device_results(name, folder, worker) for name in DEVICES}
    here = Path(__file__).parent
    write_json(here / "results.json", results)
    write_text(here / "README.md", page(results))


if __name__ == "__main__":
    main()
