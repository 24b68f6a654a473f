from .errors import CandidateError, GraphError, InputError, NasError
from .graph.activations import Clip, ClipForm, HardSwish, LeakyRelu, PRelu, Relu, Sigmoid, Tanh
from .graph.builder import GraphBuilder
from .graph.convolutions import (
    Branches,
    Conv,
    DepthwiseConv,
    Padding,
    TransposedConv,
    transposed_window,
)
from .graph.graph import INPUT, Figures, Graph, Node, NodeFigures, infer
from .graph.input_spec import InputSpec
from .graph.lowering import LoweredOperator, Tensor, lower
from .graph.operator import Activation, Operator, Range, Shape
from .graph.operators import (
    OPERATORS,
    Add,
    Concat,
    DepthToSpace,
    Interpolation,
    Mean,
    Multiply,
    NearestConv,
    Pad,
    Pool,
    Reduction,
    Resize,
    ShuffleRows,
    Slice,
    SpaceToDepth,
    Split,
    Subtract,
    Tile,
)
from .graph.quantization import IMAGE_RANGE, LEVELS, ScaleGroup, Tensors, quantization_groups
from .graph.tiling import Margins, Tiling, tiling_of
from .spaces.blocks import BlockKind
from .transforms.candidate import Candidate, Deployment
from .transforms.folding import ResidualFold
from .transforms.reparameterization import beside_kernel, merged_kernel
from .transforms.shuffling import PixelShuffle
from .transforms.weights import own_values

__all__ = [
    "IMAGE_RANGE",
    "INPUT",
    "LEVELS",
    "OPERATORS",
    "Activation",
    "Add",
    "BlockKind",
    "Branches",
    "Candidate",
    "CandidateError",
    "Clip",
    "ClipForm",
    "Concat",
    "Conv",
    "Deployment",
    "DepthToSpace",
    "DepthwiseConv",
    "Figures",
    "Graph",
    "GraphBuilder",
    "GraphError",
    "HardSwish",
    "InputError",
    "InputSpec",
    "Interpolation",
    "LeakyRelu",
    "LoweredOperator",
    "Margins",
    "Mean",
    "Multiply",
    "NasError",
    "NearestConv",
    "Node",
    "NodeFigures",
    "Operator",
    "PRelu",
    "Pad",
    "Padding",
    "PixelShuffle",
    "Pool",
    "Range",
    "Reduction",
    "Relu",
    "ResidualFold",
    "Resize",
    "ScaleGroup",
    "Shape",
    "ShuffleRows",
    "Sigmoid",
    "Slice",
    "SpaceToDepth",
    "Split",
    "Subtract",
    "Tanh",
    "Tensor",
    "Tensors",
    "Tile",
    "Tiling",
    "TransposedConv",
    "beside_kernel",
    "infer",
    "lower",
    "merged_kernel",
    "own_values",
    "quantization_groups",
    "tiling_of",
    "transposed_window",
]
