"""A tiled image equals the whole one."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import uniform_filter

from nas.data.pixels import Pixels
from nas.quality.tiles import spans, strips, upscale_tiled
from search_spaces import InputError, InputSpec, Margins, Tiling


def blur(reach: int, scale: int) -> Callable[[Pixels], Pixels]:
    """A x``scale`` "network" that sees ``reach`` pixels, and zeros beyond the border."""

    def run(lr: Pixels) -> Pixels:
        size = (2 * reach + 1, 2 * reach + 1, 1)
        blurred = uniform_filter(lr.astype(float), size, mode="constant", cval=0)
        return np.asarray(np.rint(blurred).astype(np.uint8).repeat(scale, 0).repeat(scale, 1))

    return run


def around(reach: int) -> Tiling:
    """Of a network that sees as far to each side."""
    margins = Margins(reach, reach, 1)
    return Tiling(margins, margins)


def image(height: int, width: int, seed: int = 0) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


@given(
    st.integers(0, 4), st.integers(0, 40), st.integers(0, 40), st.integers(1, 12),
    st.integers(1, 12), st.integers(1, 3),
)  # fmt: skip
def test_tiles_equal_the_whole_image(
    reach: int, more_rows: int, more_columns: int, rows: int, columns: int, scale: int
) -> None:
    tile = InputSpec(2 * reach + rows, 2 * reach + columns)
    lr = image(tile.height + more_rows, tile.width + more_columns)
    run = blur(reach, scale)

    def checked(part: Pixels) -> Pixels:
        assert part.shape == (tile.height, tile.width, 3)
        assert part.flags.c_contiguous
        return run(part)

    np.testing.assert_array_equal(upscale_tiled(lr, tile, around(reach), scale, checked), run(lr))


@given(
    st.integers(1, 300), st.integers(1, 90), st.integers(0, 12), st.integers(0, 12),
    st.integers(1, 4),
)  # fmt: skip
def test_spans_cover_everything_once(
    length: int, tile: int, before: int, after: int, multiple: int
) -> None:
    margins = Margins(before, after, multiple)
    if length > tile and tile < before + after + multiple:
        with pytest.raises(InputError, match="too small"):
            spans(length, tile, margins)
        return
    found = spans(length, tile, margins)
    assert [pixel for span in found for pixel in range(span.first, span.last)] == list(
        range(length)
    )
    end = found[-1].start + tile
    assert end >= length
    assert length < tile or end < length + multiple
    for span in found:
        assert span.start % multiple == 0
        assert span.start == 0 or span.first - span.start >= before
        assert span.start + tile >= end or span.start + tile - span.last >= after
        assert span.start <= span.first < span.last <= span.start + tile


def test_tiles_meet_the_borders_of_the_image() -> None:
    found = spans(100, 32, Margins(5, 5, 1))
    assert found[0].start == 0
    assert found[-1].start + 32 == 100


def test_tiles_begin_at_multiples() -> None:
    found = spans(101, 32, Margins(5, 5, 4))
    assert all(span.start % 4 == 0 for span in found)
    assert found[-1].start + 32 == 104
    assert found[-1].last == 101


def test_smaller_images_are_continued_by_their_edge() -> None:
    lr = image(6, 9)
    seen: list[Pixels] = []

    def run(part: Pixels) -> Pixels:
        seen.append(part)
        return part

    result = upscale_tiled(lr, InputSpec(8, 12), around(3), 1, run)
    np.testing.assert_array_equal(result, lr)
    np.testing.assert_array_equal(seen[0], np.pad(lr, ((0, 2), (0, 3), (0, 0)), mode="edge"))


def test_strips_come_one_after_another() -> None:
    lr, tile, run = image(200, 50), InputSpec(16, 24), blur(2, 3)
    calls = 0

    def counting(part: Pixels) -> Pixels:
        nonlocal calls
        calls += 1
        return run(part)

    upscaled = strips(lr, tile, around(2), 3, counting)
    first = next(upscaled)
    assert first.shape == (14 * 3, 50 * 3, 3)
    assert calls == len(spans(50, 24, Margins(2, 2, 1)))
    np.testing.assert_array_equal(np.concatenate([first, *upscaled]), run(lr))


def test_what_sees_the_whole_image_must_fit() -> None:
    lr = image(10, 12)
    run = blur(1, 2)
    np.testing.assert_array_equal(upscale_tiled(lr, InputSpec(10, 12), None, 2, run), run(lr))
    with pytest.raises(InputError, match="needs the whole image at once"):
        upscale_tiled(lr, InputSpec(10, 11), None, 2, run)


def test_a_tile_without_a_middle() -> None:
    with pytest.raises(InputError, match="sees 7 pixels before and 7 behind each"):
        upscale_tiled(image(40, 40), InputSpec(14, 14), around(7), 3, blur(7, 3))
