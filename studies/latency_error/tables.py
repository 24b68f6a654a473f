"""Networks compiled for every Ethos-U device: what the regressions learn from and are judged by.

    python -m studies.latency_error.tables TABLES train
    python -m studies.latency_error.tables TABLES fresh
    python -m studies.latency_error.tables TABLES sizes

draw different ones at random and write ``TABLES/DEVICE/PART/measurements.csv``: 2,000 to learn
from, most of ``mobile`` x3, half at 360x640, half at sizes of their own, some of other spaces and
scales; 1,000 others of ``mobile`` x3 at 360x640; 200 more at sizes of their own. A second or less
for a network; the same command goes on where it was stopped. ``ethos_u_training TABLES`` learns
from the first, ``ethos_u TABLES`` writes the devices' folders, ``run --tables TABLES`` judges by
the others.
"""

from __future__ import annotations

import argparse
import itertools
import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from latency_models import LatencyRequest, Worker
from latency_models.device import load_device, open_source
from latency_models.sources.regression import Measurement, write_measurements
from latency_models.sources.regression.settings import TABLE
from latency_models.sources.regression.source import read_table
from nas.latency.bench import measurement_of
from nas.system.files import write_whole
from search_spaces import CandidateError, Graph, GraphError, InputSpec, lower
from search_spaces.spaces.enumeration import RandomTrial
from search_spaces.spaces.loading import load_space

from .ethos_u import COMPILED
from .tflite_writer import written

USUAL, SCALE = InputSpec(360, 640), 3
#: Others than ``mobile``, for networks that are like none of it.
_SPACES = ("anchor", "plain", "residual", "reparam", "grouped")
#: Networks between two writes of the tables.
_BETWEEN = 20
_MOST_PIXELS = 1_000_000


@dataclass(frozen=True)
class Drawing:
    """Networks of one table, drawn one after another from a seed of its own."""

    networks: int
    seed: int
    #: the least and the greatest height, and the part of the networks at sizes of their own
    heights: tuple[int, int]
    sized: float
    #: and of those of other spaces or scales
    other: float = 0.0

    def drawn(self) -> Iterator[tuple[Graph, InputSpec]]:
        """Without end."""
        known: set[str] = set()
        for seed in itertools.count(self.seed):
            chance = random.Random(-seed)
            space, scale, spec = "mobile", SCALE, USUAL
            if chance.random() < self.sized:
                spec = self._size(chance)
            if chance.random() < self.other:
                space = chance.choice(("mobile", *_SPACES))
                scale = chance.choice((2, 3, 4))
            try:
                graph = load_space(space).draw(RandomTrial(random.Random(seed)), scale).deployed
                lower(graph, spec)
            except GraphError:
                continue
            if graph.hash not in known:
                known.add(graph.hash)
                yield graph, spec

    def _size(self, chance: random.Random) -> InputSpec:
        """Of any shape between upright and wide; most often of even sides."""
        least, most = map(math.log, self.heights)
        while True:
            height = round(math.exp(chance.uniform(least, most)))
            width = round(height * chance.choice((16 / 9, 16 / 9, 4 / 3, 1, 3 / 4)))
            if chance.random() < 0.7:
                height, width = height // 2 * 2, width // 2 * 2
            if width >= self.heights[0] and height * width <= _MOST_PIXELS:
                return InputSpec(height, width)


PARTS = {
    "train": Drawing(2000, 910_000_001, (32, 800), 0.5, 0.1),
    "fresh": Drawing(1000, 550_000_001, (360, 360), 0.0),
    "sizes": Drawing(200, 560_000_001, (90, 720), 1.0),
}


def compile_all(tables: Path, part: str, worker: Worker) -> None:
    """Fills every device's table; a network that one compiler refuses is in none."""
    sources = {name: open_source(load_device(name), worker) for name in COMPILED}
    paths = {name: tables / name / part / TABLE for name in COMPILED}
    rows: dict[str, list[Measurement]] = {
        name: list(read_table(path)) if path.exists() else [] for name, path in paths.items()
    }
    done = set.intersection(*({row.name for row in told} for told in rows.values()))
    rows = {name: [row for row in told if row.name in done] for name, told in rows.items()}
    for seed, (graph, spec) in enumerate(PARTS[part].drawn()):
        if len(done) == PARTS[part].networks:
            break
        if graph.hash in done:
            continue
        request = LatencyRequest.of_graph(graph, spec, bytes)
        data = written(graph, request.operators, seed)
        request = LatencyRequest.of_graph(graph, spec, partial(bytes, data))
        try:
            latencies = {name: source.measure(request) for name, source in sources.items()}
        except CandidateError as error:
            print(f"left out: {error}", flush=True)
            continue
        done.add(graph.hash)
        for name, latency in latencies.items():
            rows[name].append(measurement_of(request, latency))
        if len(done) % _BETWEEN == 0 or len(done) == PARTS[part].networks:
            for name, path in paths.items():
                write_whole(path, write_measurements(rows[name]).encode())
            print(f"{len(done)} of {PARTS[part].networks}", flush=True)


def main() -> None:
    """All of a part."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tables", type=Path)
    parser.add_argument("part", choices=PARTS)
    options = parser.parse_args()
    with Worker() as worker:
        compile_all(options.tables, options.part, worker)


if __name__ == "__main__":
    main()
