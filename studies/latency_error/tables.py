"""Networks of ``mobile`` compiled for every Ethos-U device: to fit the regressions and judge them.

    python -m studies.latency_error.tables TABLES train
    python -m studies.latency_error.tables TABLES fresh

draw different ones at random and write ``TABLES/DEVICE/train/measurements.csv`` (300) and
``.../fresh/...`` (1,000 others). Some ten and some thirty minutes on a core; the same command goes
on where it was stopped. ``ethos_u.py TABLES`` fits to the first, ``run.py --tables TABLES`` judges
by the others.
"""

from __future__ import annotations

import argparse
import itertools
import random
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from latency_models import LatencyRequest, Worker
from latency_models.device import load_device, open_source
from latency_models.sources.regression import Measurement, write_measurements
from latency_models.sources.regression.settings import TABLE
from latency_models.sources.regression.source import read_table
from nas.evaluation.evaluator import untrained_tflite
from nas.latency.collect import measurement_of
from nas.system.files import write_whole
from search_spaces import CandidateError, Graph, GraphError
from search_spaces.spaces.enumeration import RandomTrial
from search_spaces.spaces.loading import load_space

from .ethos_u import COMPILED

#: How many networks are in each, one after the other in the order of drawing.
COUNTS = {"train": 300, "fresh": 1000}
SEED = 20261126
SCALE = 3
#: Networks between two writes of the tables.
_BETWEEN = 20


def drawn(part: str) -> Iterator[Graph]:
    """The networks of a part, and more of them without end if some cannot be compiled."""
    known: set[str] = set()
    space = load_space("mobile")
    before = 0 if part == "train" else 2 * COUNTS["train"]
    for seed in itertools.count(SEED):
        try:
            graph = space.draw(RandomTrial(random.Random(seed)), SCALE).deployed
        except GraphError:
            continue
        if graph.hash not in known:
            known.add(graph.hash)
            if len(known) > before:
                yield graph


def compile_all(tables: Path, part: str, worker: Worker) -> None:
    """Fills every device's table; a network that one compiler refuses is in none."""
    networks = COUNTS[part]
    devices = [load_device(name) for name in COMPILED]
    ((spec, weights),) = {(device.input, device.weights) for device in devices}
    sources = {device.name: open_source(device, worker) for device in devices}
    paths = {name: tables / name / part / TABLE for name in COMPILED}
    rows: dict[str, list[Measurement]] = {
        name: list(read_table(path)) if path.exists() else [] for name, path in paths.items()
    }
    done = set.intersection(*({row.name for row in told} for told in rows.values()))
    rows = {name: [row for row in told if row.name in done] for name, told in rows.items()}
    for graph in drawn(part):
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
    parser.add_argument("part", choices=COUNTS)
    options = parser.parse_args()
    with Worker() as worker:
        compile_all(options.tables, options.part, worker)


if __name__ == "__main__":
    main()
