"""Networks that no model of the Ethos-U has seen, compiled for every one of these devices.

    python studies/latency_error/fresh.py TABLES

draws them at random from ``mobile`` and writes ``TABLES/DEVICE/fresh/measurements.csv``: some
twenty minutes on 2 cores; the same command goes on where it was stopped. ``run.py --tables TABLES``
judges the models by them.
"""

from __future__ import annotations

import argparse
import itertools
import random
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from ethos_u import COMPILED, shipped_table

from latency_models import LatencyRequest, Worker
from latency_models.device import load_device, open_source
from latency_models.regression import Measurement, write_measurements
from latency_models.regression.settings import TABLE
from latency_models.regression.source import read_table
from nas.files import write_whole
from nas.laboratory import untrained_tflite
from nas.latency_building import measurement_of
from search_spaces import CandidateError, Graph, GraphError
from search_spaces.space import load_space
from search_spaces.walks import Walk

NETWORKS = 1000
SEED = 20261125
SCALE = 3
#: Networks between two writes of the tables.
_BETWEEN = 20


def unseen() -> Iterator[Graph]:
    """Different networks, without end; none of them in a table that a model is fitted to."""
    known = {row.name for name in COMPILED for row in shipped_table(name)}
    space = load_space("mobile")
    for seed in itertools.count(SEED):
        try:
            graph = space.draw(Walk(random.Random(seed)), SCALE).deployed
        except GraphError:
            continue
        if graph.hash not in known:
            known.add(graph.hash)
            yield graph


def compile_all(tables: Path, networks: int, worker: Worker) -> None:
    """Fills every device's table; a network that one compiler refuses is in none."""
    devices = [load_device(name) for name in COMPILED]
    ((spec, weights),) = {(device.input, device.weights) for device in devices}
    sources = {device.name: open_source(device, worker) for device in devices}
    paths = {name: tables / name / "fresh" / TABLE for name in COMPILED}
    rows: dict[str, list[Measurement]] = {
        name: list(read_table(path)) if path.exists() else [] for name, path in paths.items()
    }
    done = set.intersection(*({row.name for row in told} for told in rows.values()))
    rows = {name: [row for row in told if row.name in done] for name, told in rows.items()}
    for graph in unseen():
        if len(done) == networks:
            break
        if graph.hash in done:
            continue
        try:
            tflite = untrained_tflite(worker, graph, spec, weights)  # once for all devices
            request = LatencyRequest.of_graph(graph, spec, partial(bytes, tflite))
            latencies = {name: source.measure(request) for name, source in sources.items()}
        except CandidateError as error:
            print(f"left out: {error}", flush=True)
            continue
        done.add(graph.hash)
        for name, latency in latencies.items():
            rows[name].append(measurement_of(request, latency))
        if len(done) % _BETWEEN == 0 or len(done) == networks:
            for name, path in paths.items():
                write_whole(path, write_measurements(rows[name]).encode())
            print(f"{len(done)} of {networks}", flush=True)


def main() -> None:
    """All of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tables", type=Path)
    parser.add_argument("--networks", type=int, default=NETWORKS)
    options = parser.parse_args()
    with Worker() as worker:
        compile_all(options.tables, options.networks, worker)


if __name__ == "__main__":
    main()
