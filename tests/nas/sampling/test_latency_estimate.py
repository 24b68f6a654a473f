"""Latencies for choosing: exact where a regression is the device, learned elsewhere."""

from __future__ import annotations

import math
import random
from dataclasses import replace

import pytest

from latency_models import LatencyRequest, Worker
from latency_models.device import load_device, open_source
from nas.choices import Risk
from nas.quality.score import scored_ms
from nas.sampling.latency_estimate import LatencyEstimator, TimedNetwork
from nas.sampling.replay import draw
from search_spaces import Candidate, GraphError, InputSpec, PixelShuffle, lower
from search_spaces.spaces.loading import load_space

SPEC = InputSpec(360, 640)


def networks(
    count: int, seed: int = 0, shuffle: PixelShuffle = PixelShuffle.OPERATOR
) -> list[Candidate]:
    space = replace(load_space("mobile"), pixel_shuffle=shuffle)
    rng, found = random.Random(seed), list[Candidate]()
    while len(found) < count:
        try:
            found.append(draw(space, 3, rng, {}).candidate)
        except GraphError:
            continue
    return found


def test_of_a_predicted_device_it_is_the_prediction() -> None:
    device = load_device("dimensity8100-nnapi")
    estimator = LatencyEstimator.of(device, SPEC, Risk.MEAN)
    (features,) = estimator.line_features(networks(1))
    assert estimator.with_timed([TimedNetwork(features, 20.0)]) is estimator
    with Worker() as worker:
        source = open_source(device, worker)
        for network, found in zip(networks(20), estimator.estimates(networks(20)), strict=True):
            kinds = {operator.kind for operator in lower(network.deployed, SPEC)}
            if device.operators is not None and not kinds <= device.operators:
                assert found is None
            elif found is not None:
                latency = source.measure(LatencyRequest.of_graph(network.deployed, SPEC, bytes))
                assert found.log2_ms == pytest.approx(math.log2(scored_ms(latency, Risk.MEAN)))
                assert found.promised_log2_ms == pytest.approx(math.log2(latency.high_ms))
                assert found.deviation == 0


@pytest.mark.parametrize("shuffle", PixelShuffle)
@pytest.mark.parametrize("name", ["ethos-u85-1024", "host"])
def test_latencies_of_the_study_correct_it(name: str, shuffle: PixelShuffle) -> None:
    """A device three times as slow as it is thought to be."""
    estimator = LatencyEstimator.of(load_device(name), SPEC, Risk.MEAN)
    known, others = networks(12, 1, shuffle), networks(12, 2, shuffle)
    before = estimator.estimates([*known, *others])
    timed = [
        TimedNetwork(features, estimate.log2_ms + math.log2(3))
        for features, estimate in zip(estimator.line_features(known), before, strict=False)
        if estimate is not None
    ]
    after = estimator.with_timed(timed).estimates(others)
    for old, new in zip(before[len(known) :], after, strict=True):
        assert (old is None) == (new is None)
        if old is not None and new is not None:
            assert new.log2_ms == pytest.approx(old.log2_ms + math.log2(3), abs=0.4)
            assert new.deviation <= old.deviation
