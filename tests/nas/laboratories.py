"""A laboratory on the embedded images, of which one is judged."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from latency_models import WeightGranularity, Worker
from latency_models.device import load_device, open_source
from nas.images.data import EMBEDDED, Data, ImageSet, load_data
from nas.laboratory import Laboratory
from nas.networks.recipe import Recipe
from search_spaces import InputSpec

SPEC = InputSpec(90, 160)


@contextlib.contextmanager
def opened(device: str, recipe: Recipe) -> Iterator[Laboratory]:
    """Latencies are those of ``device``."""
    data = load_data(EMBEDDED, 3)
    short = Data("short", data.training, ImageSet(3, data.validation.pairs[:1]))
    with Worker() as worker:
        yield Laboratory(
            source=open_source(load_device(device), worker),
            worker=worker,
            data=short,
            recipe=recipe,
            input=SPEC,
            granularity=WeightGranularity.CHANNEL,
            threads=2,
        )
