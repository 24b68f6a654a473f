"""Compares shipped models with ABPN, which is shipped too and trained in the same way."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from search_spaces import zoo

from ..choices import Risk
from ..evaluation.model_card import DeviceTime, ModelCard
from ..quality.score import log2_score, score_ratio, scored_ms
from .catalog import ShippedModel

#: Keys of ``ModelCard.training`` that affect the quality of the trained network.
_TRAINING_KEYS = ("steps", "batch", "patch")


def reference_of(model: ShippedModel, models: Sequence[ShippedModel]) -> ShippedModel | None:
    """Returns ABPN of equal scale, training length and images from ``models``; None if absent."""
    network = zoo.find("ABPN").build(model.card.scale).hash
    return next(
        (
            other
            for other in models
            if other.card.candidate.hash == network
            and _training_conditions(other) == _training_conditions(model)
        ),
        None,
    )


def ratio_to(reference: ModelCard, card: ModelCard, device: str) -> float | None:
    """Returns the ratio of the challenge's scores of ``card`` and ``reference`` on ``device``.

    Scores use the mean PSNR over all images on which both were tested, and the same latency as
    the score of a search. None if there are no such images, or one was not timed on ``device``.
    """
    own_ms, other_ms = _scored_ms(card, device), _scored_ms(reference, device)
    own_db, other_db = _psnr_db(card, reference), _psnr_db(reference, card)
    if own_ms is None or other_ms is None or own_db is None or other_db is None:
        return None
    return score_ratio(log2_score(own_db, own_ms), log2_score(other_db, other_ms))


def _training_conditions(model: ShippedModel) -> tuple[object, ...]:
    training = model.card.training
    return (model.card.data_fingerprint, *(training.get(key) for key in _TRAINING_KEYS))


def _psnr_db(card: ModelCard, other: ModelCard) -> float | None:
    """Returns the mean PSNR of ``card`` over the test sets on which ``other`` was tested, too."""
    other_fingerprints = {test.fingerprint for test in other.tests}
    shared = [test for test in card.tests if test.fingerprint in other_fingerprints]
    if not shared:
        return None
    return fmean([t.quality.psnr_db for t in shared], [float(t.images) for t in shared])


def _scored_ms(card: ModelCard, device: str) -> float | None:
    found: DeviceTime | None = next((t for t in card.times if t.device == device), None)
    return None if found is None else scored_ms(found.latency, Risk.MEAN)
