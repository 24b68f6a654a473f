"""An evaluator on the embedded images, of which one is judged."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from latency_models import WeightGranularity, Worker
from latency_models.device import load_device, open_source
from nas.data.images import EMBEDDED, Data, ImageSet, load_data
from nas.evaluation.evaluator import CandidateEvaluator
from nas.training.recipe import Recipe
from search_spaces import InputSpec

SPEC = InputSpec(90, 160)


@contextlib.contextmanager
def opened(device: str, recipe: Recipe) -> Iterator[CandidateEvaluator]:
    """Latencies are those of ``device``."""
    data = load_data(EMBEDDED, 3)
    short = Data("short", data.training, ImageSet(3, data.validation.pairs[:1]))
    with Worker() as worker:
        yield CandidateEvaluator(
            source=open_source(load_device(device), worker),
            worker=worker,
            data=short,
            recipe=recipe,
            input=SPEC,
            granularity=WeightGranularity.CHANNEL,
            threads=2,
        )
