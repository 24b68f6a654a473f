"""What 24 planned networks tell of a device, beside 24 and 100 random ones.

    python -m studies.latency_probe.run [--compiled FOLDER]

compiles the plans for Ethos-U devices, some minutes on 2 cores, and writes ``results.json`` and
``README.md`` beside this file. Random networks, and those kept back to judge by, are of the tables
of the devices' regressions. With ``--compiled`` the plans' tables are kept there, and gone on with.
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

from ..latency_error.ethos_u import FREE, own_time, shipped_table
from .page import page

DEVICES = ("ethos-u55-256", "ethos-u65-512", "ethos-u85-512")
SCALE, PLANNED, RANDOM = 3, 24, 100
#: Networks that the plan of whole ones is chosen from.
POOL = 96
#: Of the 300 networks of a table the last are kept back.
_KEPT_BACK = 60
_STARTS = (0, 24, 48, 72)
_SHOWN = ("mape_percent", "within_10_percent", "coverage_percent", "width", "spearman")


def small(name: str, folder: Path, worker: Worker) -> tuple[Measurement, ...]:
    """What a board is asked, of the compiler."""
    device = load_device(name)
    source = open_source(device, worker)
    bench = DeviceBench(device, source, worker, folder / name / "small", f"small x{SCALE}")
    return run_probe(bench, ProbeDesign(small_probes(device.input, SCALE)), print).rows


def planned(drawn: Sequence[Measurement]) -> tuple[Measurement, ...]:
    """What a compiler is asked, of networks that are compiled already."""
    networks = [row.operators for row in drawn[:POOL]]
    every = {operator.kind for operators in networks for operator in operators}
    computing = {k.kind for operators in networks for k in operators if k.macs}
    structures = possible_structures((Engine("device", frozenset(every)),), computing)
    kinds = [{operator.kind for operator in operators} for operators in networks]
    holds = np.array([[kind in found for kind in sorted(every)] for found in kinds])
    places = d_optimal(possible_prices(structures, networks), PLANNED, holds=holds)
    return tuple(drawn[place] for place in places)


def _without_free(row: Measurement) -> Measurement:
    """Operators that cost nothing on these devices are no question of a probe."""
    kept = [place for place, operator in enumerate(row.operators) if operator.kind not in FREE]
    return replace(
        row,
        operators=tuple(row.operators[place] for place in kept),
        operators_ms=tuple(row.operators_ms[place] for place in kept),
        engines=tuple(row.engines[place] for place in kept),
    )


def whole(rows: Sequence[Measurement]) -> tuple[Measurement, ...]:
    """As a board tells them: the time of the network alone."""
    return tuple(replace(row, operators_ms=(), engines=()) for row in rows)


def judged(rows: Sequence[Measurement], fresh: Sequence[Measurement]) -> dict[str, Any]:
    """Errors on those of ``fresh`` whose operators are all among ``rows``, which a fit refuses
    otherwise: if operators' times are told, and if they are not.
    """
    kinds = {operator.kind for row in rows for operator in row.operators}
    fresh = [row for row in fresh if kinds.issuperset(o.kind for o in row.operators)]
    told = fit_model(default_structure(rows), rows)
    bare = fit_model(default_structure(whole(rows)), whole(rows))
    return {
        "operators": len([operator for row in rows for operator in row.operators]),
        "judged": len(fresh),
        "whole": _figures(accuracy(predict_rows(bare, whole(fresh)))),
        "told": _figures(accuracy(own_time(told, fresh))),
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
    """Of one device."""
    table = [_without_free(row) for row in shipped_table(name)]
    fresh, drawn = table[-_KEPT_BACK:], table[:-_KEPT_BACK]
    results = {
        "small": judged(small(name, folder, worker), fresh),
        "networks": judged(planned(drawn), fresh),
    }
    results["random"] = _mean([judged(drawn[at : at + PLANNED], fresh) for at in _STARTS])
    results["more"] = _mean([judged(drawn[at : at + RANDOM], fresh) for at in (0, RANDOM)])
    return results


def main() -> None:
    """All devices."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--compiled", type=Path)
    with tempfile.TemporaryDirectory() as scratch, Worker() as worker:
        folder = parser.parse_args().compiled or Path(scratch)
        results = {name: device_results(name, folder, worker) for name in DEVICES}
    here = Path(__file__).parent
    write_json(here / "results.json", results)
    write_text(here / "README.md", page(results))


if __name__ == "__main__":
    main()
