"""Images that other processes see without decoding or copying them."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from latency_models import Worker
from nas.images.data import Data, ImagePair, ImageSet, Skipped
from nas.images.shared import share


def sides() -> st.SearchStrategy[list[tuple[int, int]]]:
    return st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), min_size=1, max_size=4)


def images(sizes: list[tuple[int, int]], scale: int) -> ImageSet:
    random = np.random.default_rng(len(sizes))

    def pixels(height: int, width: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
        return random.integers(256, size=(height, width, 3), dtype=np.uint8)

    pairs = (ImagePair(f"{h}x{w}", pixels(h, w), pixels(h * scale, w * scale)) for h, w in sizes)
    return ImageSet(scale, tuple(pairs), (Skipped("broken.png", "it is"),))


def fingerprint(data: Data) -> str:
    return data.fingerprint


@given(sides(), sides(), st.integers(2, 4))
def test_what_is_shared_and_what_is_sent_is_what_was_given(
    training: list[tuple[int, int]], validation: list[tuple[int, int]], scale: int
) -> None:
    data = Data("d", images(training, scale), images(validation, scale))
    shared = share(data)
    sent = pickle.loads(pickle.dumps(shared))
    for other in (shared, sent):
        assert other.fingerprint == data.fingerprint
        assert other.name == "d"
        for before, after in (
            (data.training, other.training), (data.validation, other.validation)
        ):  # fmt: skip
            assert [pair.name for pair in after.pairs] == [pair.name for pair in before.pairs]
            assert after.skipped == before.skipped


def test_another_process_gets_a_view_and_not_the_pixels() -> None:
    data = Data("d", images([(400, 400)], 3), images([(9, 9)], 3))
    shared = share(data)
    assert len(pickle.dumps(shared)) < 10_000
    with Worker() as worker:
        assert worker.call(60, fingerprint, shared) == data.fingerprint


def test_nobody_writes_into_it() -> None:
    shared = share(Data("d", images([(4, 4)], 2), images([(4, 4)], 2)))
    with pytest.raises(ValueError, match="read-only"):
        shared.training.pairs[0].lr[0] = 1
