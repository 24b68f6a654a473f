"""What can be built: graphs of TFLite-like operators, the spaces that sample them, the zoo."""

from .builder import GraphBuilder
from .errors import CandidateError, GraphError, InputError, NasError
from .graph import INPUT, Figures, Graph, InputSpec, Node, NodeFigures, infer
from .kernels import Kernel, Tensor, halo, lower
from .operators import (
    OPERATORS, Activation, Add, Clip, ClipForm, Concat, Conv, DepthToSpace, DepthwiseConv,
    Interpolation, LeakyRelu, Mean, Multiply, Operator, Pad, Padding, Pool, PRelu, Reduction, Relu,
    Resize, Shape, Sigmoid, Slice, SpaceToDepth, Split, Subtract, Tanh, Tile, TransposedConv,
)  # fmt: skip
from .tensors import IMAGE_RANGE, LEVELS, Range, ScaleGroup, Tensors, analyse

__all__ = [
    "IMAGE_RANGE", "INPUT", "OPERATORS", "Activation", "Add", "CandidateError", "Clip", "ClipForm",
    "Concat", "Conv", "DepthToSpace", "DepthwiseConv", "Figures", "Graph", "GraphBuilder",
    "GraphError", "InputError", "InputSpec", "Interpolation", "Kernel", "LEVELS", "LeakyRelu", "Mean",
    "Multiply", "NasError", "Node", "NodeFigures", "Operator", "PRelu", "Pad", "Padding", "Pool",
    "Range", "Reduction", "Relu", "Resize", "ScaleGroup", "Shape", "Sigmoid", "Slice",
    "SpaceToDepth", "Split", "Subtract", "Tanh", "Tensor", "Tensors", "Tile", "TransposedConv",
    "analyse", "halo", "infer", "lower",
]  # fmt: skip
