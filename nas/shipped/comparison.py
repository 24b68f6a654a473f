"""How a shipped model compares with ABPN, which is shipped too, trained in the same way."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from search_spaces import zoo

from ..choices import Risk
from ..evaluation.model_card import DeviceTime, ModelCard
from ..quality.score import log2_score, score_ratio, scored_ms
from .catalog import ShippedModel

#: What a training is told that decides how good a network becomes.
_LENGTH = ("steps", "batch", "patch")


def reference_of(model: ShippedModel, models: Sequence[ShippedModel]) -> ShippedModel | None:
    """ABPN among ``models`` at the same scale: as long a training, on the same images."""
    network = zoo.find("ABPN").build(model.card.scale).hash
    return next(
        (
            other
            for other in models
            if other.card.candidate.hash == network and _conditions(other) == _conditions(model)
        ),
        None,
    )


def ratio_to(reference: ModelCard, card: ModelCard, device: str) -> float | None:
    """How many times the challenge's score of ``reference`` a model has on ``device``.

    By the mean PSNR over all images that both were tested on, and by the times that a search's
    score counts. None if there are no such images, or one was not timed there.
    """
    own_ms, other_ms = _counted_ms(card, device), _counted_ms(reference, device)
    own_db, other_db = _psnr_db(card, reference), _psnr_db(reference, card)
    if own_ms is None or other_ms is None or own_db is None or other_db is None:
        return None
    return score_ratio(log2_score(own_db, own_ms), log2_score(other_db, other_ms))


def _conditions(model: ShippedModel) -> tuple[object, ...]:
    training = model.card.training
    return (model.card.data_fingerprint, *(training.get(key) for key in _LENGTH))


def _psnr_db(card: ModelCard, other: ModelCard) -> float | None:
    """Over the test images of ``card`` that ``other`` was tested on, too."""
    theirs = {test.fingerprint for test in other.tests}
    shared = [test for test in card.tests if test.fingerprint in theirs]
    if not shared:
        return None
    return fmean([t.quality.psnr_db for t in shared], [float(t.images) for t in shared])


def _counted_ms(card: ModelCard, device: str) -> float | None:
    found: DeviceTime | None = next((t for t in card.times if t.device == device), None)
    return None if found is None else scored_ms(found.latency, Risk.MEAN)
