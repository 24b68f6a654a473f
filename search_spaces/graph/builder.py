"""Builds a graph operator by operator: each call adds a node and returns its name."""

from __future__ import annotations

from enum import StrEnum

from .activations import Clip, ClipForm, LeakyRelu, PRelu, Tanh
from .convolutions import Branches, Conv
from .graph import INPUT, Graph, Node
from .operator import Activation, Operator
from .operators import Add, Concat, DepthToSpace


class Nonlinearity(StrEnum):
    """Activation after a convolution; a ReLU is fused into it, a clip costs no INT8 operator."""

    NONE = "none"
    RELU = "relu"
    CLIP = "clip"
    PRELU = "prelu"
    LEAKY = "leaky_relu"
    TANH = "tanh"


class GraphBuilder:
    """Collects the nodes of a graph; their names are the operator's kind and a running number."""

    def __init__(self) -> None:
        self._nodes: list[Node] = []
        self._node_names: dict[tuple[Operator, tuple[str, ...]], str] = {}

    @property
    def input(self) -> str:
        """Name of the low-resolution input image."""
        return INPUT

    def add_node(self, operator: Operator, *inputs: str) -> str:
        """Applies ``operator`` to earlier nodes and returns the node's name.

        If the operator has no trained variables and an equal node exists, returns that one's name.
        """
        name = f"{operator.kind}_{len(self._nodes) + 1}"
        if not operator.trained:
            existing = self._node_names.setdefault((operator, inputs), name)
            if existing != name:
                return existing
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
        """Adds a convolution of stride 1 that preserves the size, and the activation ``then``.

        ``relu=True`` is short for ``then=Nonlinearity.RELU``. ``then`` and ``branches`` may also be
        strings, as a trial suggests them: "relu", "expanded".
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
        """Adds the sum of two tensors."""
        return self.add_node(Add(), a, b)

    def concat(self, *sources: str) -> str:
        """Adds the concatenation of tensors along their channels."""
        return self.add_node(Concat(), *sources)

    @property
    def graph(self) -> Graph:
        """The graph built so far; its last node is the output."""
        return Graph(tuple(self._nodes))

    def image(self, source: str, block: int, clip: ClipForm = ClipForm.SATURATE) -> Graph:
        """Ends the graph: depth_to_space of ``source`` (3 block^2 channels), clipped to 0..255."""
        pixels = self.add_node(DepthToSpace(block=block), source)
        self.add_node(Clip(form=ClipForm(clip)), pixels)
        return self.graph
