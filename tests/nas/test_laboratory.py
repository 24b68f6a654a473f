"""The way of one candidate with its real parts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from latency_models import WeightGranularity
from latency_models.device import load_device, open_source
from latency_models.tflite import request_of_file
from nas.choices import Quantization
from nas.images.quality import evaluate
from nas.laboratory import Developed, Laboratory, candidate_seed
from nas.networks.job import Phase, Progress, Weights
from nas.networks.recipe import Recipe
from search_spaces import (
    Candidate,
    CandidateError,
    Deployment,
    Graph,
    ResidualFold,
    anchor,
    infer,
    zoo,
)

from . import laboratories


def quiet(progress: Progress) -> None:
    pass


def small() -> Graph:
    return anchor.build([(8, 1), (8, 1)], 3, residual="anchor", tail="single")


@pytest.fixture(scope="module")
def laboratory() -> Iterator[Laboratory]:
    with laboratories.opened("ethos-u65-512", Recipe(steps=200, batch=8, patch=16)) as laboratory:
        yield laboratory


@pytest.fixture(scope="module")
def developed(laboratory: Laboratory) -> Developed:
    return laboratory.develop(Candidate(small()), 1, quiet)


def test_a_developed_candidate_loses_little_to_int8(developed: Developed) -> None:
    assert abs(developed.drop_db) < 0.1
    assert developed.quality.psnr_db == pytest.approx(
        developed.float_quality.psnr_db - developed.drop_db
    )
    assert 0 < developed.stages.gradient < developed.stages.training


def test_quality_is_that_of_the_file(laboratory: Laboratory, developed: Developed) -> None:
    again = evaluate(laboratory.upscaler(developed.tflite), laboratory.data.validation)
    assert again == developed.quality


def test_the_same_seed_gives_the_same_file(laboratory: Laboratory, developed: Developed) -> None:
    assert laboratory.develop(Candidate(small()), 1, quiet).tflite == developed.tflite


def test_a_training_tells_of_itself(laboratory: Laboratory) -> None:
    heard: list[Progress] = []
    laboratory.develop(Candidate(small()), 1, heard.append)
    steps = [progress.step for progress in heard]
    assert steps == sorted(steps)
    assert (heard[-1].phase, heard[-1].step) == (Phase.FLOAT, 200)


def test_int8_training_goes_on_where_it_is_asked_for(laboratory: Laboratory) -> None:
    recipe = replace(laboratory.recipe, steps=60, quantization=Quantization.QAT)
    heard: list[Progress] = []
    developed = replace(laboratory, recipe=recipe).develop(Candidate(small()), 1, heard.append)
    assert {progress.phase for progress in heard} == {Phase.FLOAT, Phase.INT8}
    afterwards = replace(laboratory, recipe=replace(recipe, quantization=Quantization.PTQ))
    least = afterwards.develop(Candidate(small()), 1, quiet)
    assert developed.quality.psnr_db >= least.quality.psnr_db  # the better one is kept
    assert developed.stages.quality > 0 < developed.stages.conversion


def test_int8_training_goes_on_where_quantizing_afterwards_costs_too_much(
    laboratory: Laboratory,
) -> None:
    """A tanh has an INT8 scale that the format fixes."""
    brief = replace(laboratory, recipe=Recipe(steps=150, batch=4, patch=16))
    heard: list[Progress] = []
    brief.develop(zoo.find("ESPCN").build(3), 1, heard.append)
    assert Phase.INT8 in {progress.phase for progress in heard}


def test_a_network_that_is_deployed_as_another_is_trained_too(laboratory: Laboratory) -> None:
    candidate = Candidate(small(), Deployment(ResidualFold.SUM))
    assert laboratory.develop(candidate, 1, quiet).quality.psnr_db > 20


def test_a_file_that_is_not_the_network_fails_its_candidate(laboratory: Laboratory) -> None:
    class Careless(Laboratory):
        def convert(self, graph: Graph, weights: Weights) -> bytes:
            spoiled = {name: value * np.float32(1.5) for name, value in weights.items()}
            return super().convert(graph, spoiled)

    careless = Careless(**vars(laboratory))
    with pytest.raises(CandidateError, match=r"parity: the TFLite file gives .* dB"):
        careless.develop(Candidate(small()), 1, quiet)


def test_weights_per_tensor(laboratory: Laboratory) -> None:
    recipe = replace(laboratory.recipe, steps=60)
    other = replace(laboratory, granularity=WeightGranularity.TENSOR, recipe=recipe)
    assert other.develop(Candidate(small()), 1, quiet).quality.psnr_db > 20


def test_latency_is_known_before_training_and_covers_every_operator(
    laboratory: Laboratory,
) -> None:
    latency = laboratory.latency(small())
    assert latency.ms == pytest.approx(sum(row.ms for row in latency.operators))
    assert [row.kind for row in latency.operators][-1] == "DEPTH_TO_SPACE"
    assert infer(small(), laboratories.SPEC).macs > 0


@pytest.mark.parametrize("name", ["ECBSR-M4C16", "NCNet", "TinySRNet"])
def test_a_graph_is_timed_as_its_trained_file(laboratory: Laboratory, name: str) -> None:
    """First weights are not trained ones to a compiler: zeros pack, slopes are all alike."""
    brief = replace(laboratory, recipe=Recipe(steps=20, batch=2, patch=16))
    candidate = zoo.find(name).build(3)
    tflite = brief.develop(candidate, 1, quiet).tflite
    for device in ("ethos-u55-256", "ethos-u65-512", "ethos-u85-512", "ethos-u85-1024"):
        timed = replace(laboratory, source=open_source(load_device(device), laboratory.worker))
        measured = timed.source.measure(request_of_file(name, tflite))
        assert timed.latency(candidate.deployed).ms == pytest.approx(measured.ms, rel=0.1)


def test_every_candidate_of_a_study_has_a_seed_of_its_own() -> None:
    seeds = {candidate_seed(study, name) for study in range(5) for name in ("a", "b", "c")}
    assert len(seeds) == 15
    assert candidate_seed(1, "a") == candidate_seed(1, "a")
