"""How images are cut into tiles for a TFLite file.

The dimensions that run along the image's rows and columns are followed from the input to the
output, through transpositions and reshapes as well.
"""

from __future__ import annotations

from collections.abc import Mapping

from search_spaces import InputError, Tiling
from search_spaces.graph.tiling import Axis

from .axes import SIDES, Along, Dimensions, refusal, require_no_pieces
from .file import TfliteModel, TfliteTensor
from .windows import RULES, TAKES_PIECES, sees_all


def tiling_of_model(model: TfliteModel, scale: int) -> Tiling | None:
    """The tiling for a model of one image (1, H, W, C) and one output, ``scale`` times as large.

    None if each output pixel depends on the whole image. InputError says why it cannot be cut.
    """
    known = dimensions_of(model)
    (result,) = model.outputs
    rows, columns = _image(result, known.get(result.name, ()))
    for along in (rows, columns):
        if along.axis.rate != scale:
            raise InputError(
                f"the output has {along.axis.rate} {SIDES[along.side]} for each of the image, "
                f"but is {scale} times as large: it is cropped or padded"
            )
    if _depends_on_all(model, known):
        return None
    return Tiling(rows.axis.margins(scale), columns.axis.margins(scale))


def dimensions_of(model: TfliteModel) -> dict[str, Dimensions]:
    """What the dimensions of each tensor that depends on the image run along, by its name.

    InputError if an operator does not treat all pixels alike.
    """
    (image,) = model.inputs
    sides = (Along(side, Axis.of_image(image.shape[1 + side])) for side in (0, 1))
    known: dict[str, Dimensions] = {image.name: (None, *sides, None)}
    for operator in model.operators:
        sources = [t for t in operator.inputs if t is not None and t.name in known]
        if not sources:
            continue  # made of constants alone
        if operator.kind not in RULES:
            raise refusal(operator, "is of a kind whose input pixels are unknown")
        if operator.kind not in TAKES_PIECES:
            for tensor in sources:
                require_no_pieces(known[tensor.name], operator.label)
        dimensions = RULES[operator.kind](operator, known)
        known.update((tensor.name, dimensions) for tensor in operator.outputs)
    return known


def _depends_on_all(model: TfliteModel, known: Mapping[str, Dimensions]) -> bool:
    """Whether each value of the output depends on the whole image."""
    whole: set[str] = set()
    for operator in model.operators:
        sources = {tensor.name for tensor in operator.inputs if tensor is not None}
        if sources & known.keys() and (sees_all(operator, known) or sources & whole):
            whole.update(tensor.name for tensor in operator.outputs)
    return model.outputs[0].name in whole


def _image(tensor: TfliteTensor, dimensions: Dimensions) -> tuple[Along, Along]:
    require_no_pieces(dimensions, f"output {tensor.title}")
    if len(dimensions) == 4:
        batch, rows, columns, channels = dimensions
        if batch is channels is None and rows and columns and (rows.side, columns.side) == (0, 1):
            return rows, columns
    raise InputError(f"rows and columns of the image are not those of {tensor.title}")
