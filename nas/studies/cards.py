"""Builds the model card of a trained network of a study."""

from __future__ import annotations

from latency_models import WeightGranularity
from latency_models.device import device_label
from search_spaces import InputSpec

from ..evaluation.model_card import ModelCard
from .record import TrialRecord
from .settings import Settings


def card_of_trial(
    study: str,
    settings: Settings,
    record: TrialRecord,
    granularity: WeightGranularity | None = None,
    command: str = "",
) -> ModelCard:
    """Returns the model card of a complete trial of ``study``.

    ``granularity`` is that of the weights in the trial's INT8 file, None if unknown. ``command``
    is the command line that repeats the study.
    """
    result = record.result
    assert result is not None  # every complete trial has one
    reference = record.timed_on or settings.device
    return ModelCard(
        name=f"{study}-{record.number}",
        origin=f"study {study}, trial {record.number}",
        candidate=record.network,
        input=InputSpec.parse(settings.input),
        granularity=granularity,
        quality=result.quality,
        data=settings.data,
        data_fingerprint=settings.data_fingerprint,
        tflite_kb=result.tflite_kb,
        device=device_label(reference),
        device_found_as=reference,
        latency=result.latency,
        training={**vars(settings.recipe), "seed": result.seed, "study_seed": settings.seed},
        seconds=result.seconds,
        versions=settings.versions,
        expected=result.expected,
        command=command,
    )
