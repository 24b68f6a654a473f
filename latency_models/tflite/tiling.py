"""Determines how images can be cut into tiles for a TFLite file.

The dimensions that run along the image's rows and columns are tracked from the input to the
output, also through transpositions and reshapes.
"""

from __future__ import annotations

from collections.abc import Mapping

from search_spaces import InputError, Tiling
from search_spaces.graph.tiling import Axis

from .axes import SIDES, Dimensions, ImageDimension, refusal, require_no_pieces
from .file import TfliteModel, TfliteTensor
from .windows import PIECEWISE_KINDS, RULES, depends_on_whole_image


def tiling_of_model(model: TfliteModel, scale: int) -> Tiling | None:
    """Returns the tiling for a model that enlarges one image (1, H, W, C) ``scale`` times.

    Returns None if each output pixel depends on the whole image. Raises InputError, with the
    reason, if the image cannot be cut.
    """
    known = dimensions_of(model)
    (result,) = model.outputs
    rows, columns = _output_image(result, known.get(result.name, ()))
    for dimension in (rows, columns):
        if dimension.axis.rate != scale:
            raise InputError(
                f"the output has {dimension.axis.rate} {SIDES[dimension.side]} for each of "
                f"the image, but is {scale} times as large: it is cropped or padded"
            )
    if _output_depends_on_whole_image(model, known):
        return None
    return Tiling(rows.axis.margins(scale), columns.axis.margins(scale))


def dimensions_of(model: TfliteModel) -> dict[str, Dimensions]:
    """Returns the dimensions of each tensor that depends on the image, by the tensor's name.

    InputError if an operator does not treat all pixels in the same way.
    """
    (image,) = model.inputs
    sides = (ImageDimension(side, Axis.of_image(image.shape[1 + side])) for side in (0, 1))
    known: dict[str, Dimensions] = {image.name: (None, *sides, None)}
    for operator in model.operators:
        sources = [t for t in operator.inputs if t is not None and t.name in known]
        if not sources:
            continue  # computed from constants alone
        if operator.kind not in RULES:
            raise refusal(operator, "is of a kind whose input pixels are unknown")
        if operator.kind not in PIECEWISE_KINDS:
            for tensor in sources:
                require_no_pieces(known[tensor.name], operator.label)
        dimensions = RULES[operator.kind](operator, known)
        known.update((tensor.name, dimensions) for tensor in operator.outputs)
    return known


def _output_depends_on_whole_image(model: TfliteModel, known: Mapping[str, Dimensions]) -> bool:
    """Whether each value of the output depends on the whole image."""
    whole: set[str] = set()
    for operator in model.operators:
        sources = {tensor.name for tensor in operator.inputs if tensor is not None}
        if sources & known.keys() and (depends_on_whole_image(operator, known) or sources & whole):
            whole.update(tensor.name for tensor in operator.outputs)
    return model.outputs[0].name in whole


def _output_image(
    tensor: TfliteTensor, dimensions: Dimensions
) -> tuple[ImageDimension, ImageDimension]:
    """Returns rows and columns of the output; InputError unless it is an image (1, H, W, C)."""
    require_no_pieces(dimensions, f"output {tensor.title}")
    if len(dimensions) == 4:
        batch, rows, columns, channels = dimensions
        if batch is channels is None and rows and columns and (rows.side, columns.side) == (0, 1):
            return rows, columns
    raise InputError(f"rows and columns of the image are not those of {tensor.title}")
