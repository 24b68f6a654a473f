"""Runs a model of fixed size on images of any size, in overlapping tiles.

Rows and columns are cut in the same way. The first tile begins at the image's first pixel and the
last tile ends at its last pixel, so that the network's padding acts at the image's real borders.
In between, each result pixel is taken from a tile with all pixels that it depends on. Therefore,
the result equals that of a model of the image's size. Only if an image is smaller than the tile, or
its size cannot be reached in whole steps of ``Margins.multiple``, its last row and column are
repeated.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from search_spaces import Graph, InputError, InputSpec, Margins, Tiling, infer, tiling_of

from ..data.images import ImageSet
from ..data.pixels import Pixels


@dataclass(frozen=True)
class Span:
    """The position of a tile along one axis, in pixels of the image.

    The tile begins at ``start``; its result is kept from ``first`` up to ``last`` (exclusive).
    """

    start: int
    first: int
    last: int


def upscale_tiled(
    lr: Pixels,
    tile: InputSpec,
    tiling: Tiling | None,
    scale: int,
    run: Callable[[Pixels], Pixels],
) -> Pixels:
    """Enlarges uint8 (H, W, 3) to (scale H, scale W, 3); the arguments are those of ``strips``."""
    return np.concatenate(list(strips(lr, tile, tiling, scale, run)))


def strips(
    lr: Pixels,
    tile: InputSpec,
    tiling: Tiling | None,
    scale: int,
    run: Callable[[Pixels], Pixels],
) -> Iterator[Pixels]:
    """Yields the result of ``upscale_tiled`` from top to bottom, one row of tiles at a time.

    ``run`` enlarges a tile, (tile.height, tile.width, 3), by ``scale``. ``tiling`` is None if each
    result pixel depends on the whole image. Raises InputError if tiles of this size cannot cover
    the image.
    """
    height, width = lr.shape[:2]
    rows = spans(height, tile.height, tiling.rows if tiling else None)
    columns = spans(width, tile.width, tiling.columns if tiling else None)
    padded = _padded(lr, rows[-1].start + tile.height, columns[-1].start + tile.width)
    for row in rows:
        strip = np.empty(((row.last - row.first) * scale, width * scale, 3), np.uint8)
        for column in columns:
            source = padded[
                row.start : row.start + tile.height, column.start : column.start + tile.width
            ]
            result = run(np.ascontiguousarray(source))
            strip[:, column.first * scale : column.last * scale] = result[
                _kept(row, scale), _kept(column, scale)
            ]
        yield strip


def cropped_tile(lr: Pixels, tile: InputSpec, tiling: Tiling | None) -> InputSpec:
    """Returns the smallest tile, at most ``tile``, with the same result for a small image."""
    if tiling is None:
        return tile
    height, width = (
        side - max(side - length - margins.after, 0) // margins.multiple * margins.multiple
        for side, length, margins in (
            (tile.height, lr.shape[0], tiling.rows), (tile.width, lr.shape[1], tiling.columns),
        )
    )  # fmt: skip
    return InputSpec(height, width)


def require_tiles(graph: Graph, tile: InputSpec, images: ImageSet) -> None:
    """Raises InputError unless ``graph`` runs on ``tile`` and such tiles cover all ``images``."""
    infer(graph, tile)
    sizes = list(dict.fromkeys(pair.lr.shape[:2] for pair in images.pairs))
    if all(height <= tile.height and width <= tile.width for height, width in sizes):
        return
    tiling = tiling_of(graph, tile)
    for height, width in sizes:
        spans(height, tile.height, tiling.rows if tiling else None)
        spans(width, tile.width, tiling.columns if tiling else None)


def spans(length: int, tile: int, margins: Margins | None) -> tuple[Span, ...]:
    """Places tiles of ``tile`` pixels so that their kept parts cover 0 to ``length`` exactly.

    ``margins`` is None if each pixel depends on the whole image. Raises InputError if the tiles
    are too small.
    """
    if length <= tile:
        return (Span(0, 0, length),)
    if margins is None:
        raise InputError(
            f"{length} pixels do not fit into the model's {tile}, and it needs the whole image at "
            "once; make its input larger"
        )
    before, after, multiple = margins.before, margins.after, margins.multiple
    step = (tile - before - after) // multiple * multiple
    if step < 1:
        raise InputError(
            f"the model's input of {tile} pixels is too small to cut an image of {length} into "
            f"tiles: it sees {before} pixels before and {after} behind each and needs at least "
            f"{before + after + multiple}; make its input larger"
        )
    last_start = -(-(length - tile) // multiple) * multiple
    starts = [*range(0, last_start, step), last_start]
    # A tile's result is valid up to ``after`` pixels before its end; there, the next one begins.
    limits = [0, *(start + tile - after for start in starts[:-1]), length]
    return tuple(
        Span(start, first, last)
        for start, (first, last) in zip(starts, itertools.pairwise(limits), strict=True)
    )


def _kept(span: Span, scale: int) -> slice:
    """Returns the part of a tile's result that is kept."""
    return slice((span.first - span.start) * scale, (span.last - span.start) * scale)


def _padded(lr: Pixels, height: int, width: int) -> Pixels:
    """Returns ``lr`` with its last row and column repeated up to ``height`` and ``width``."""
    below, right = height - lr.shape[0], width - lr.shape[1]
    return np.pad(lr, ((0, below), (0, right), (0, 0)), mode="edge") if below or right else lr
