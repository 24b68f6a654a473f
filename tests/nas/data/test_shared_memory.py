"""Images that other processes see without decoding or copying them."""

from __future__ import annotations

import pickle
from dataclasses import replace
from typing import IO

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from latency_models import Worker
from nas.data.images import Data, ImagePair, ImageSet, SharedImages, Skipped
from nas.data.shared_memory import DataSplit, Index, PixelWriter, store_in_memory


def sides(least: int = 1) -> st.SearchStrategy[list[tuple[int, int]]]:
    side = st.integers(1, 9)
    return st.lists(st.tuples(side, side), min_size=least, max_size=least + 4)


def images(sizes: list[tuple[int, int]], scale: int) -> ImageSet:
    random = np.random.default_rng(len(sizes))

    def pixels(height: int, width: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
        return random.integers(256, size=(height, width, 3), dtype=np.uint8)

    pairs = (ImagePair(f"{h}x{w}", pixels(h, w), pixels(h * scale, w * scale)) for h, w in sizes)
    return ImageSet(scale, tuple(pairs), (Skipped("broken.png", "it is"),))


def share(images: ImageSet, hold_out: int = 10) -> SharedImages:
    def write(file: IO[bytes]) -> Index:
        writer = PixelWriter(file, hold_out)
        for pair in images.pairs:
            writer.add(pair.name, pair.lr, pair.hr, pair.is_flat)
        return writer.index()

    return SharedImages(images.scale, images.skipped, stored=store_in_memory(write))


def fingerprint(data: Data) -> str:
    return data.fingerprint


@given(sides(), st.integers(2, 4))
def test_what_is_shared_and_what_is_sent_is_what_was_given(
    sizes: list[tuple[int, int]], scale: int
) -> None:
    given = images(sizes, scale)
    shared = share(given)
    for other in (shared, pickle.loads(pickle.dumps(shared))):
        assert other.fingerprint == given.fingerprint
        assert other.flat == given.flat
        assert other.skipped == given.skipped
        assert_equal(other, given)


@given(sides(least=2), st.integers(2, 4), st.integers(2, 4))
def test_a_half_is_a_set_of_its_own(
    sizes: list[tuple[int, int]], scale: int, hold_out: int
) -> None:
    given = images(sizes, scale)
    whole = share(given, hold_out)
    for half, pairs in (
        (DataSplit.VALIDATION, given.pairs[::hold_out]),
        (DataSplit.TRAINING, [p for n, p in enumerate(given.pairs) if n % hold_out]),
    ):
        expected = ImageSet(scale, tuple(pairs))
        cut = replace(whole, split=half)
        for other in (cut, pickle.loads(pickle.dumps(cut))):
            assert (other.fingerprint, other.flat) == (expected.fingerprint, expected.flat)
            assert_equal(other, expected)


def assert_equal(one: ImageSet, other: ImageSet) -> None:
    for mine, theirs in zip(one.pairs, other.pairs, strict=True):
        assert mine.name == theirs.name
        np.testing.assert_array_equal(mine.lr, theirs.lr)
        np.testing.assert_array_equal(mine.hr, theirs.hr)


def test_another_process_gets_a_view_and_not_the_pixels() -> None:
    data = Data("d", share(images([(400, 400)], 3)), share(images([(9, 9)], 3)))
    assert len(pickle.dumps(data)) < 10_000
    with Worker() as worker:
        assert worker.call(60, fingerprint, data) == data.fingerprint


def test_halves_of_one_memory_are_sent_with_it_once() -> None:
    whole = share(images([(4, 4)] * 300, 2))
    halves = [replace(whole, split=half) for half in (DataSplit.TRAINING, DataSplit.VALIDATION)]
    assert len(pickle.dumps(halves)) < 1.2 * len(pickle.dumps(whole))


def test_pixels_are_there_for_as_long_as_one_image_is_held() -> None:
    given = images([(40, 40)], 3)
    pair = share(given).pairs[0]
    np.testing.assert_array_equal(pair.hr, given.pairs[0].hr)


def test_what_is_given_back_is_read_again() -> None:
    given = images([(40, 40)], 3)
    shared = share(given)
    shared.release()
    assert_equal(shared, given)


def test_nobody_writes_into_it() -> None:
    shared = share(images([(4, 4)], 2))
    with pytest.raises(ValueError, match="read-only"):
        shared.pairs[0].lr[0] = 1
