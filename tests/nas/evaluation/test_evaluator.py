"""The way of one candidate with its real parts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from latency_models import WeightGranularity
from latency_models.device import load_device, open_source
from latency_models.tflite.requests import request_of_file
from nas.choices import Quantization
from nas.evaluation.evaluator import CandidateEvaluator, EvaluatedCandidate, candidate_seed
from nas.quality.image_quality import evaluate
from nas.training.job import Phase, Progress, Weights
from nas.training.recipe import Recipe
from search_spaces import Candidate, CandidateError, Deployment, Graph, ResidualFold, infer, zoo
from search_spaces.spaces import anchor

from .. import evaluators


def quiet(progress: Progress) -> None:
    pass


def small() -> Graph:
    return anchor.build([(8, 1), (8, 1)], 3, residual="anchor", tail="single")


@pytest.fixture(scope="module")
def evaluator() -> Iterator[CandidateEvaluator]:
    with evaluators.opened("ethos-u65-512", Recipe(steps=200, batch=8, patch=16)) as evaluator:
        yield evaluator


@pytest.fixture(scope="module")
def evaluated(evaluator: CandidateEvaluator) -> EvaluatedCandidate:
    return evaluator.evaluate(Candidate(small()), 1, quiet)


def test_a_developed_candidate_loses_little_to_int8(evaluated: EvaluatedCandidate) -> None:
    assert abs(evaluated.drop_db) < 0.1
    assert evaluated.quality.psnr_db == pytest.approx(
        evaluated.float_quality.psnr_db - evaluated.drop_db
    )
    assert 0 < evaluated.stages.gradient < evaluated.stages.training


def test_quality_is_that_of_the_file(
    evaluator: CandidateEvaluator, evaluated: EvaluatedCandidate
) -> None:
    again = evaluate(evaluator.upscaler(evaluated.tflite), evaluator.data.validation)
    assert again == evaluated.quality


def test_the_same_seed_gives_the_same_file(
    evaluator: CandidateEvaluator, evaluated: EvaluatedCandidate
) -> None:
    assert evaluator.evaluate(Candidate(small()), 1, quiet).tflite == evaluated.tflite


def test_a_training_tells_of_itself(evaluator: CandidateEvaluator) -> None:
    heard: list[Progress] = []
    evaluator.evaluate(Candidate(small()), 1, heard.append)
    steps = [progress.step for progress in heard]
    assert steps == sorted(steps)
    assert (heard[-1].phase, heard[-1].step) == (Phase.FLOAT, 200)


def test_int8_training_goes_on_where_it_is_asked_for(evaluator: CandidateEvaluator) -> None:
    recipe = replace(evaluator.recipe, steps=60, quantization=Quantization.QAT)
    heard: list[Progress] = []
    evaluated = replace(evaluator, recipe=recipe).evaluate(Candidate(small()), 1, heard.append)
    assert {progress.phase for progress in heard} == {Phase.FLOAT, Phase.INT8}
    afterwards = replace(evaluator, recipe=replace(recipe, quantization=Quantization.PTQ))
    least = afterwards.evaluate(Candidate(small()), 1, quiet)
    assert evaluated.quality.psnr_db >= least.quality.psnr_db  # the better one is kept
    assert evaluated.stages.quality > 0 < evaluated.stages.conversion


def test_int8_training_goes_on_where_quantizing_afterwards_costs_too_much(
    evaluator: CandidateEvaluator,
) -> None:
    """A tanh has an INT8 scale that the format fixes."""
    brief = replace(evaluator, recipe=Recipe(steps=150, batch=4, patch=16))
    heard: list[Progress] = []
    brief.evaluate(zoo.find("ESPCN").build(3), 1, heard.append)
    assert Phase.INT8 in {progress.phase for progress in heard}


def test_a_network_that_is_deployed_as_another_is_trained_too(
    evaluator: CandidateEvaluator,
) -> None:
    candidate = Candidate(small(), Deployment(ResidualFold.SUM))
    assert evaluator.evaluate(candidate, 1, quiet).quality.psnr_db > 20


def test_a_file_that_is_not_the_network_fails_its_candidate(evaluator: CandidateEvaluator) -> None:
    class Careless(CandidateEvaluator):
        def convert(self, graph: Graph, weights: Weights) -> bytes:
            spoiled = {name: value * np.float32(1.5) for name, value in weights.items()}
            return super().convert(graph, spoiled)

    careless = Careless(**vars(evaluator))
    with pytest.raises(CandidateError, match=r"parity: the TFLite file gives .* dB"):
        careless.evaluate(Candidate(small()), 1, quiet)


def test_weights_per_tensor(evaluator: CandidateEvaluator) -> None:
    recipe = replace(evaluator.recipe, steps=60)
    other = replace(evaluator, granularity=WeightGranularity.TENSOR, recipe=recipe)
    assert other.evaluate(Candidate(small()), 1, quiet).quality.psnr_db > 20


def test_latency_is_known_before_training_and_covers_every_operator(
    evaluator: CandidateEvaluator,
) -> None:
    latency = evaluator.latency(small())
    assert latency.ms == pytest.approx(sum(row.ms for row in latency.operators))
    assert [row.kind for row in latency.operators][-1] == "DEPTH_TO_SPACE"
    assert infer(small(), evaluators.SPEC).macs > 0


@pytest.mark.parametrize("name", ["ECBSR-M4C16", "NCNet", "TinySRNet"])
def test_a_graph_is_timed_as_its_trained_file(evaluator: CandidateEvaluator, name: str) -> None:
    """First weights are not trained ones to a compiler: zeros pack, slopes are all alike."""
    brief = replace(evaluator, recipe=Recipe(steps=20, batch=2, patch=16))
    candidate = zoo.find(name).build(3)
    tflite = brief.evaluate(candidate, 1, quiet).tflite
    for device in ("ethos-u55-256", "ethos-u65-512", "ethos-u85-512", "ethos-u85-1024"):
        timed = replace(evaluator, source=open_source(load_device(device), evaluator.worker))
        measured = timed.source.measure(request_of_file(name, tflite))
        assert timed.latency(candidate.deployed).ms == pytest.approx(measured.ms, rel=0.1)


def test_every_candidate_of_a_study_has_a_seed_of_its_own() -> None:
    seeds = {candidate_seed(study, name) for study in range(5) for name in ("a", "b", "c")}
    assert len(seeds) == 15
    assert candidate_seed(1, "a") == candidate_seed(1, "a")
