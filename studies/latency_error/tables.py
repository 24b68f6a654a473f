"""Compiles networks for every Ethos-U device, to train and to test the regressions.

    python -m studies.latency_error.tables TABLES PART [--networks N]

draws different networks at random and writes ``TABLES/DEVICE/PART/measurements.csv``. Half of the
networks to learn from have images of 360x640, half of other sizes. Most are written as the devices
deploy them, with pixels row by row, a part of them with DEPTH_TO_SPACE. The parts:

* ``train`` and ``more``: networks to learn from, most of ``mobile`` x3, some of other spaces and
  scales; ``structures``: of the space ``structures.py`` x3; ``scales``: of that space and others
  at other scales.
* ``fresh``: networks to test on, of ``mobile`` x3 at 360x640; ``sizes``: at other sizes;
  ``fresh-structures``: of the space ``structures.py`` x3.

A network takes about a third of a second on all devices; rows are written one by one, and the same
command continues. ``ethos_u_training TABLES`` learns from the tables, ``ethos_u TABLES`` writes the
devices' folders, and ``run --tables TABLES`` tests.
"""

from __future__ import annotations

import argparse
import csv
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
from search_spaces import CandidateError, Graph, GraphError, InputSpec, PixelShuffle, lower
from search_spaces.spaces.enumeration import RandomTrial
from search_spaces.spaces.loading import load_space

from .ethos_u import COMPILED
from .tflite_writer import written

USUAL, SCALE = InputSpec(360, 640), 3
#: Spaces other than ``mobile``, for networks unlike those of ``mobile``.
_SPACES = ("anchor", "plain", "residual", "reparam", "grouped")
_STRUCTURES = str(Path(__file__).parent / "structures.py")
#: Most multiply-accumulates of a network: the compiler takes minutes for the largest ones.
_MOST_MACS = 3e10
#: Number of networks between two lines of progress.
_PROGRESS_EVERY = 100
_MOST_PIXELS = 1_000_000


@dataclass(frozen=True)
class Drawing:
    """How to draw the networks of one table, one after another from a seed."""

    networks: int
    seed: int
    #: Smallest and largest height of an image.
    heights: tuple[int, int]
    #: Share of the networks with a random image size.
    sized: float
    #: Share of the networks with DEPTH_TO_SPACE, which no device deploys.
    by_operator: float
    #: Share of the networks of other spaces or scales.
    other: float = 0.0
    #: Space of all networks but those.
    space: str = "mobile"

    def drawn(self) -> Iterator[tuple[Graph, InputSpec]]:
        """Yields different networks with their image sizes, without end."""
        seen: set[str] = set()
        for seed in itertools.count(self.seed):
            chance = random.Random(-seed)
            space, scale, spec = self.space, SCALE, USUAL
            if chance.random() < self.sized:
                spec = self._size(chance)
            if chance.random() < self.other:
                space = chance.choice((self.space, *_SPACES))
                scale = chance.choice((2, 3, 4))
            by_operator = chance.random() < self.by_operator
            shuffle = PixelShuffle.OPERATOR if by_operator else PixelShuffle.ROWS
            try:
                drawn = load_space(space).draw(RandomTrial(random.Random(seed)), scale)
                graph = drawn.shuffled(shuffle).deployed
                operators = lower(graph, spec)
            except GraphError:
                continue
            if sum(operator.macs for operator in operators) > _MOST_MACS and space == _STRUCTURES:
                continue
            if graph.hash not in seen:
                seen.add(graph.hash)
                yield graph, spec

    def _size(self, chance: random.Random) -> InputSpec:
        """Draws a size of an aspect ratio between 3:4 and 16:9, most often with even sides."""
        least, most = map(math.log, self.heights)
        while True:
            height = round(math.exp(chance.uniform(least, most)))
            width = round(height * chance.choice((16 / 9, 16 / 9, 4 / 3, 1, 3 / 4)))
            if chance.random() < 0.7:
                height, width = height // 2 * 2, width // 2 * 2
            if width >= self.heights[0] and height * width <= _MOST_PIXELS:
                return InputSpec(height, width)


PARTS = {
    "train": Drawing(12_712, 2_010_000_001, (32, 800), 0.5, 0.2, 0.1),
    "more": Drawing(4_000, 2_640_000_001, (32, 800), 0.5, 0.2, 0.1),
    "fresh": Drawing(1_000, 2_570_000_001, (360, 360), 0.0, 0.2),
    "sizes": Drawing(400, 2_580_000_001, (64, 720), 1.0, 0.2),
    "structures": Drawing(3_000, 2_590_000_001, (32, 800), 0.5, 0.2, space=_STRUCTURES),
    "scales": Drawing(800, 2_620_000_001, (32, 800), 0.5, 0.2, other=1.0, space=_STRUCTURES),
    "fresh-structures": Drawing(400, 2_600_000_001, (64, 720), 0.5, 0.2, space=_STRUCTURES),
}


def compile_all(tables: Path, part: str, networks: int, worker: Worker) -> None:
    """Fills every device's table; a network that one compiler refuses is in no table."""
    sources = {name: open_source(load_device(name), worker) for name in COMPILED}
    paths = {name: tables / name / part / TABLE for name in COMPILED}
    done = complete_networks(paths)
    for seed, (graph, spec) in enumerate(PARTS[part].drawn()):
        if len(done) >= networks:
            break
        if graph.hash in done:
            continue
        request = LatencyRequest.of_graph(graph, spec, bytes)
        data = written(graph, request.operators, seed)
        request = LatencyRequest.of_graph(graph, spec, partial(bytes, data))
        try:
            rows = {n: measurement_of(request, s.measure(request)) for n, s in sources.items()}
        except CandidateError as error:
            print(f"left out: {error}", flush=True)
            continue
        done.add(graph.hash)
        for name, row in rows.items():
            append(paths[name], row)
        if len(done) % _PROGRESS_EVERY == 0:
            print(f"{len(done)} of {networks}", flush=True)


def complete_networks(paths: dict[str, Path]) -> set[str]:
    """Returns the names of networks that are in every table, and removes all others from them."""
    names = {name: _names(path) for name, path in paths.items()}
    done = set.intersection(*names.values())
    for name, path in paths.items():
        if names[name] > done:
            kept = [row for row in read_table(path) if row.name in done]
            write_whole(path, write_measurements(kept).encode())
    return done


def _names(path: Path) -> set[str]:
    """Returns the names of a table's rows, much faster than by reading the whole rows."""
    if not path.exists():
        return set()
    with path.open(newline="", encoding="utf-8") as file:
        return {line["name"] for line in csv.DictReader(file)}


def append(path: Path, row: Measurement) -> None:
    """Appends a row in one write, so that no part of a line is written alone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    head, line = write_measurements([row]).split("\n", 1)
    with path.open("ab", buffering=0) as file:
        file.write((line if file.tell() else f"{head}\n{line}").encode())


def main() -> None:
    """Compiles all networks of a part."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tables", type=Path, help="folder for the tables")
    parser.add_argument("part", choices=PARTS, help="set of networks to compile")
    parser.add_argument("--networks", type=int, help="number of networks [all of the part]")
    options = parser.parse_args()
    networks = options.networks or PARTS[options.part].networks
    with Worker() as worker:
        compile_all(options.tables, options.part, networks, worker)


if __name__ == "__main__":
    main()
