"""Measures networks of ``mobile`` on this machine, to fit its regression and to test it.

    python -m studies.latency_error.host DIR

writes ``DIR/train`` (150 networks, chosen as by `nas latency collect`), ``DIR/fresh`` (60 others,
drawn at random) and ``DIR/again`` (these 60, measured a second time). This takes half an hour, in
which the machine should do nothing else; the same command continues. ``run.py --host DIR`` tests
the regression on them.
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
    """Measures all networks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="folder for the tables")
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
