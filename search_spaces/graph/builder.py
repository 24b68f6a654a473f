"""Writing a graph down, operator by operator: each call adds a node and returns its name."""

from __future__ import annotations

from enum import StrEnum

from .activations import Clip, ClipForm, LeakyRelu, PRelu, Tanh
from .convolutions import Branches, Conv
from .graph import INPUT, Graph, Node
from .operator import Activation, Operator
from .operators import Add, Concat, DepthToSpace


class Nonlinearity(StrEnum):
    """What follows a convolution; a ReLU is fused into it, a clip costs no operator in INT8."""

    NONE = "none"
    RELU = "relu"
    CLIP = "clip"
    PRELU = "prelu"
    LEAKY = "leaky_relu"
    TANH = "tanh"


class GraphBuilder:
    """Collects nodes; names are the operator's kind and a running number."""

    def __init__(self) -> None:
        self._nodes: list[Node] = []
        self._known: dict[tuple[Operator, tuple[str, ...]], str] = {}

    @property
    def input(self) -> str:
        """The low-resolution image."""
        return INPUT

    def add_node(self, operator: Operator, *inputs: str) -> str:
        """Any operator, applied to earlier nodes; the node that does just that, if there is one."""
        name = f"{operator.kind}_{len(self._nodes) + 1}"
        if not operator.trained:
            known = self._known.setdefault((operator, inputs), name)
            if known != name:
                return known
        self._nodes.append(Node(name, operator, inputs))
        return name

    def conv(
        self,
        source: str,
        filters: int,
        *,
        kernel: int = 3,
        groups: int = 1,
        relu: bool = False,
        then: Nonlinearity = Nonlinearity.NONE,
        branches: Branches = Branches.NONE,
    ) -> str:
        """Convolution of stride 1, padded to keep its size; ``relu`` is short for ``then`` RELU.

        ``then`` and ``branches`` may be strings, as a trial suggests them: "relu", "expanded".
        """
        then = Nonlinearity.RELU if relu else Nonlinearity(then)
        activation = Activation.RELU if then is Nonlinearity.RELU else Activation.NONE
        operator = Conv(
            kernel=kernel,
            activation=activation,
            filters=filters,
            groups=groups,
            branches=Branches(branches),
        )
        return self._activate(self.add_node(operator, source), then)

    def _activate(self, source: str, then: Nonlinearity) -> str:
        match then:
            case Nonlinearity.CLIP:
                return self.add_node(Clip(), source)
            case Nonlinearity.PRELU:
                return self.add_node(PRelu(), source)
            case Nonlinearity.LEAKY:
                return self.add_node(LeakyRelu(), source)
            case Nonlinearity.TANH:
                return self.add_node(Tanh(), source)
        return source

    def add(self, a: str, b: str) -> str:
        """Sum of two tensors."""
        return self.add_node(Add(), a, b)

    def concat(self, *sources: str) -> str:
        """Tensors one after another in channels."""
        return self.add_node(Concat(), *sources)

    @property
    def graph(self) -> Graph:
        """What was written, as a graph whose last node is the output."""
        return Graph(tuple(self._nodes))

    def image(self, source: str, block: int, clip: ClipForm = ClipForm.SATURATE) -> Graph:
        """The finished graph: depth_to_space of ``source`` (3 block^2 channels), held in 0..255."""
        pixels = self.add_node(DepthToSpace(block=block), source)
        self.add_node(Clip(form=ClipForm(clip)), pixels)
        return self.graph
