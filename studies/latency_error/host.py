"""Networks of ``mobile`` measured on this machine: to fit its regression, and to judge it, twice.

    python -m studies.latency_error.host DIR

writes ``DIR/train`` (150, as `nas latency collect` chooses them), ``DIR/fresh`` (60 others, drawn
at random) and ``DIR/again`` (those once more, afterwards): half an hour, with nothing beside it;
the same command goes on where it was stopped. ``run.py --host DIR`` judges by them.
"""

from __future__ import annotations

import argparse
import itertools
from dataclasses import replace
from pathlib import Path

from latency_models import Worker
from latency_models.device import load_device, open_source
from nas.latency.collect import Collection
from search_spaces.spaces.loading import load_space

from .tables import PARTS, SCALE

TRAINED, FRESH = 150, 60


def main() -> None:
    """All of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    device, space = load_device("host"), load_space("mobile")
    with Worker() as worker:
        source = open_source(device, worker)
        collection = Collection(device, source, worker, space, SCALE, folder / "train")
        known = {row.name for row in collection.run(TRAINED, print)}
        drawn = PARTS["fresh"].drawn()
        others = (graph for graph, _ in drawn if graph.hash not in known)
        fresh = list(itertools.islice(others, FRESH))
        for part in ("fresh", "again"):
            replace(collection.bench, folder=folder / part).run_through(fresh, print)


if __name__ == "__main__":
    main()
