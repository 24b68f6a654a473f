"""Studies whose trials are over, without anything having been trained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import optuna

from latency_models import LatencyRequest, Worker
from latency_models.device import load_device, open_source
from nas.studies.folder import StudyFolder
from nas.studies.record import (
    ARCHITECTURE_KEY,
    BASELINE_KEY,
    CANDIDATE_KEY,
    OUTCOME_KEY,
    Outcome,
)
from nas.studies.study import Study, create_study
from search_spaces import Candidate, InputSpec, zoo
from search_spaces.spaces.enumeration import samples
from search_spaces.spaces.loading import load_space

from ..records import make_result
from .test_study import SETTINGS

SPEC = InputSpec(90, 160)


def candidates(count: int) -> list[Candidate]:
    """Different networks of ``anchor``."""
    drawn = (candidate for _, candidate in samples(load_space("anchor"), 3, 4 * count, seed=0))
    distinct = {candidate.deployed.hash: candidate for candidate in drawn}
    return list(distinct.values())[:count]


def finished_study(
    name: str,
    found: Sequence[Candidate],
    device: str = "vs680",
    max_latency_ms: float | None = None,
) -> Study:
    """ABPN, XLSR and ``found`` as trials of their own, all of one PSNR, with predicted latencies.

    In the current folder.
    """
    settings = replace(SETTINGS, device=device, input=str(SPEC), max_latency_ms=max_latency_ms)
    study = create_study(StudyFolder.named(name), None, settings)
    references = [(network.name, network.build(3)) for network in zoo.REFERENCES]
    with Worker() as worker:
        source = open_source(load_device(device), worker)
        for baseline, candidate in [*references, *((None, network) for network in found)]:
            latency = source.measure(LatencyRequest.of_graph(candidate.deployed, SPEC, bytes))
            result = replace(make_result(), latency=latency)
            attributes = {
                **result.to_attributes(),
                OUTCOME_KEY: Outcome.TRAINED,
                CANDIDATE_KEY: candidate.hash,
                ARCHITECTURE_KEY: candidate.to_json(),
                **({BASELINE_KEY: baseline} if baseline else {}),
            }
            trial = optuna.create_trial(value=result.log2_score, user_attrs=attributes)
            study.optuna.add_trial(trial)
    return study
