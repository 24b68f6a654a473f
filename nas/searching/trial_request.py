"""Latency requests for trials of a study."""

from __future__ import annotations

from latency_models import LatencyRequest, WeightGranularity, Worker
from search_spaces import InputSpec

from ..evaluation.evaluator import untrained_tflite
from ..studies.folder import MODEL
from ..studies.models import bring_model
from ..studies.record import TrialRecord
from ..studies.study import Study


def trial_request(
    study: Study, record: TrialRecord, granularity: WeightGranularity, worker: Worker
) -> LatencyRequest:
    """Returns a request with the trial's file, or with untrained weights if there is no file."""
    graph, spec = record.network.deployed, InputSpec.parse(study.settings.input)

    def make_tflite() -> bytes:
        file = bring_model(study, record) / MODEL
        if file.is_file():
            return file.read_bytes()
        return untrained_tflite(worker, graph, spec, granularity)

    return LatencyRequest.of_graph(graph, spec, make_tflite)
