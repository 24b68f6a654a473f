"""Images of any size through a model of one size: cut into overlapping tiles and put together.

Rows and columns are cut alike. The first tile begins where the image does and the last one ends
where it ends, so that the network meets the image's real borders; between tiles, each result pixel
is taken from a tile that has all that the pixel depends on. The result is therefore that of a model
as large as the image. Only an image smaller than the tile, or of a size that whole steps of
``Margins.multiple`` do not reach, is continued by its last row and column.
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
    """One tile along one axis, in pixels of the image.

    It begins at ``start``; of its result, ``first`` up to ``last`` (not included) is kept.
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
    """(H, W, 3) to (scale H, scale W, 3), both uint8; the arguments are those of ``strips``."""
    return np.concatenate(list(strips(lr, tile, tiling, scale, run)))


def strips(
    lr: Pixels,
    tile: InputSpec,
    tiling: Tiling | None,
    scale: int,
    run: Callable[[Pixels], Pixels],
) -> Iterator[Pixels]:
    """The rows of ``upscale_tiled``, from the top down, a strip of tiles at a time.

    ``run`` takes (tile.height, tile.width, 3) to ``scale`` times that size; ``tiling`` is None if
    each pixel depends on the whole image. Raises InputError if tiles of that size cannot cover it.
    """
    height, width = lr.shape[:2]
    rows = spans(height, tile.height, tiling.rows if tiling else None)
    columns = spans(width, tile.width, tiling.columns if tiling else None)
    padded = _continued(lr, rows[-1].start + tile.height, columns[-1].start + tile.width)
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
    """``tile``, or as much of it as a small image needs, whose result is the same."""
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
    """InputError unless ``graph`` runs on ``tile`` and such tiles cover each of ``images``."""
    infer(graph, tile)
    sizes = list(dict.fromkeys(pair.lr.shape[:2] for pair in images.pairs))
    if all(height <= tile.height and width <= tile.width for height, width in sizes):
        return
    cut = tiling_of(graph, tile)
    for height, width in sizes:
        spans(height, tile.height, cut.rows if cut else None)
        spans(width, tile.width, cut.columns if cut else None)


def spans(length: int, tile: int, margins: Margins | None) -> tuple[Span, ...]:
    """How tiles of ``tile`` pixels cover ``length``; together the kept parts are 0 .. length."""
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
    # Each tile is good up to ``after`` pixels before its end, where the next one takes over.
    limits = [0, *(start + tile - after for start in starts[:-1]), length]
    return tuple(
        Span(start, first, last)
        for start, (first, last) in zip(starts, itertools.pairwise(limits), strict=True)
    )


def _kept(span: Span, scale: int) -> slice:
    return slice((span.first - span.start) * scale, (span.last - span.start) * scale)


def _continued(lr: Pixels, height: int, width: int) -> Pixels:
    """``lr``, its last row and column repeated up to ``height`` and ``width``."""
    below, right = height - lr.shape[0], width - lr.shape[1]
    return np.pad(lr, ((0, below), (0, right), (0, 0)), mode="edge") if below or right else lr
