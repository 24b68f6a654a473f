"""A search space of structures that are rare or missing in ``mobile``.

Its networks train and test latency models for what users' own spaces may hold: transposed
convolutions of any kernel, grouped, dilated, depthwise and strided convolutions, pooling, resizing
in the middle of a network, dense connections, distillation by slices, gates and attention.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import search_spaces as ss

_ACTIVATIONS = (None, ss.LeakyRelu(), ss.PRelu(), ss.Tanh(), ss.Sigmoid(), ss.HardSwish())


class _Sketch:
    """A network under construction; parameters are named by running numbers."""

    def __init__(self, trial: Any) -> None:
        self.trial, self.net, self.asked = trial, ss.GraphBuilder(), 0

    def number(self, least: int, most: int) -> int:
        """Draws an integer from ``least`` to ``most``."""
        self.asked += 1
        return int(self.trial.suggest_int(f"number_{self.asked}", least, most))

    def choice(self, *options: Any) -> Any:
        """Draws one of ``options``."""
        return options[self.number(0, len(options) - 1)]

    def apply(self, source: str, *operators: ss.Operator | None) -> str:
        """Adds ``operators`` one after another, and returns the name of the last one."""
        for operator in operators:
            if operator is not None:
                source = self.net.add_node(operator, source)
        return source

    def activated(self, source: str, operator: ss.Operator) -> str:
        """Adds ``operator`` and an activation, most often a ReLU."""
        activation = ss.Relu() if self.number(0, 2) else self.choice(*_ACTIVATIONS)
        return self.apply(source, operator, activation)

    def conv(self, source: str, filters: int, kernel: int | None = None, **values: Any) -> str:
        """Adds a convolution, of a random kernel unless it is given, and an activation."""
        side = kernel or self.choice(1, 2, 3, 5, 7)
        return self.activated(source, ss.Conv(kernel=side, filters=filters, **values))

    def depthwise(self) -> ss.DepthwiseConv:
        """Draws a depthwise convolution."""
        kernel = self.choice(3, 5, 7)
        return ss.DepthwiseConv(kernel=kernel, dilation=self.choice(1, 2, 4))


def sample(trial: Any, scale: int = 3) -> ss.Graph:
    """Draws a network of a first convolution, up to eight blocks, and an enlarging end."""
    sketch = _Sketch(trial)
    net, width = sketch.net, 4 * sketch.number(2, 12)
    features = sketch.conv(net.input, width, kernel=sketch.choice(1, 3, 5))
    first = features
    for _ in range(sketch.number(1, 8)):
        features = sketch.choice(*_BLOCKS)(sketch, features, width)
    if sketch.number(0, 1):
        features = net.add(features, first)
    return _end(sketch, features, width, scale)


# Each block has the size and the number of channels, ``width``, of its input ``x``.


def _plain(sketch: _Sketch, x: str, width: int) -> str:
    return sketch.conv(x, width)


def _grouped(sketch: _Sketch, x: str, width: int) -> str:
    groups = sketch.choice(2, 4)
    return sketch.conv(x, width, kernel=sketch.choice(1, 3, 5), groups=groups)


def _dilated(sketch: _Sketch, x: str, width: int) -> str:
    return sketch.conv(x, width, kernel=sketch.choice(2, 3, 5), dilation=sketch.number(2, 8))


def _depthwise(sketch: _Sketch, x: str, width: int) -> str:
    return sketch.activated(x, sketch.depthwise())


def _separable(sketch: _Sketch, x: str, width: int) -> str:
    inner = width * sketch.choice(1, 2, 4)
    y = sketch.conv(x, inner, kernel=1)
    y = sketch.activated(y, sketch.depthwise())
    return sketch.net.add(sketch.apply(y, ss.Conv(kernel=1, filters=width)), x)


def _residual(sketch: _Sketch, x: str, width: int) -> str:
    y = sketch.conv(x, width)
    y = sketch.apply(y, ss.Conv(kernel=3, filters=width))
    return sketch.net.add_node(ss.Add(sketch.choice(ss.Activation.NONE, ss.Activation.RELU)), y, x)


def _two_branches(sketch: _Sketch, x: str, width: int) -> str:
    a, b = sketch.conv(x, width), sketch.conv(x, width)
    if sketch.number(0, 1):
        return sketch.net.add_node(sketch.choice(ss.Add(), ss.Subtract()), a, b)
    return sketch.conv(sketch.net.concat(a, b), width, kernel=1)


def _dense(sketch: _Sketch, x: str, width: int) -> str:
    """All earlier features are concatenated (Huang et al., arXiv:1608.06993)."""
    collected = [x]
    for _ in range(sketch.number(2, 4)):
        joined = sketch.net.concat(*collected) if len(collected) > 1 else x
        collected.append(sketch.conv(joined, sketch.choice(8, 12, 16, width), kernel=3))
    return sketch.conv(sketch.net.concat(*collected), width, kernel=1)


def _distillation(sketch: _Sketch, x: str, width: int) -> str:
    """Some channels are kept after each convolution (Hui et al., arXiv:1909.11856)."""
    kept, size = [], width // 4
    for _ in range(sketch.number(1, 3)):
        x = sketch.conv(x, width, kernel=3)
        kept.append(sketch.apply(x, ss.Slice(0, size)))
        x = sketch.apply(x, ss.Slice(size, width - size))
    return sketch.conv(sketch.net.concat(*kept, x), width, kernel=1)


def _halves(sketch: _Sketch, x: str, width: int) -> str:
    a, b = (sketch.apply(x, ss.Split(2, part)) for part in range(2))
    return sketch.net.concat(a, sketch.conv(b, width // 2))


def _gate(sketch: _Sketch, x: str, width: int) -> str:
    a = sketch.conv(x, width)
    gate = x if sketch.number(0, 1) else sketch.apply(x, ss.Conv(kernel=1, filters=width))
    return sketch.net.add_node(
        ss.Multiply(), a, sketch.apply(gate, sketch.choice(ss.Sigmoid(), ss.Tanh()))
    )


def _attention(sketch: _Sketch, x: str, width: int) -> str:
    """Channels are weighted by their means (Hu et al., arXiv:1709.01507)."""
    inner = ss.Conv(kernel=1, filters=max(4, width // 4))
    outer = ss.Conv(kernel=1, filters=width)
    y = sketch.apply(x, ss.Mean(), inner, ss.Relu(), outer, ss.Sigmoid())
    return sketch.net.add_node(ss.Multiply(), x, y)


def _down_and_up(sketch: _Sketch, x: str, width: int) -> str:
    """Some convolutions run at half of the size."""
    inner = width * sketch.choice(1, 2)
    down: tuple[ss.Operator, ...] = sketch.choice(
        (ss.Conv(kernel=3, stride=2, filters=inner),),
        (ss.Conv(kernel=2, stride=2, filters=inner),),
        (ss.Pool(ss.Reduction.MAX, 2, 2), ss.Conv(filters=inner)),
        (ss.Pool(ss.Reduction.AVERAGE, 2, 2), ss.Conv(filters=inner)),
        (ss.SpaceToDepth(2), ss.Conv(kernel=1, filters=inner)),
    )
    y = sketch.apply(x, *down)
    for _ in range(sketch.number(1, 3)):
        y = sketch.conv(y, inner)
    up: tuple[ss.Operator, ...] = sketch.choice(
        (ss.TransposedConv(width, sketch.choice(2, 3, 4), 2),),
        (ss.Conv(kernel=1, filters=4 * width), ss.DepthToSpace(2)),
        (ss.Conv(kernel=3, filters=width), ss.Resize(2, ss.Interpolation.NEAREST)),
        (ss.Conv(kernel=1, filters=width), ss.Resize(2, ss.Interpolation.BILINEAR)),
    )
    y = sketch.apply(y, *up)
    return sketch.net.add(y, x) if sketch.number(0, 1) else sketch.conv(y, width, kernel=1)


def _pooled(sketch: _Sketch, x: str, width: int) -> str:
    reduction, size = sketch.choice(*ss.Reduction), sketch.choice(2, 3, 5)
    return sketch.conv(sketch.apply(x, ss.Pool(reduction, size)), width)


def _padded(sketch: _Sketch, x: str, width: int) -> str:
    kernel = sketch.choice(3, 5)
    operator = ss.Conv(kernel=kernel, padding=ss.Padding.VALID, filters=width)
    return sketch.activated(sketch.apply(x, ss.Pad(kernel // 2)), operator)


_BLOCKS: tuple[Callable[[_Sketch, str, int], str], ...] = (
    _plain, _plain, _plain, _grouped, _grouped, _dilated, _depthwise, _separable, _residual,
    _two_branches, _dense, _distillation, _halves, _gate, _attention, _down_and_up, _pooled,
    _padded,
)  # fmt: skip


def _end(sketch: _Sketch, x: str, width: int, scale: int) -> ss.Graph:
    """Enlarges ``x``, and adds the enlarged input image to some networks."""
    net = sketch.net
    kind = sketch.choice(
        "shuffle", "shuffle", "shuffle", "transposed", "transposed", "resize", "two_steps"
    )
    skip = sketch.choice("none", "none", "tile", "resize")
    match kind:
        case "transposed":
            kernel = sketch.choice(2, 3, 4, 5, 6, 7, 9)
            image = sketch.apply(x, ss.TransposedConv(3, max(kernel, scale), scale))
        case "resize":
            interpolation = sketch.choice(*ss.Interpolation)
            narrow = sketch.apply(x, ss.Conv(kernel=3, filters=sketch.choice(3, 8, 12)))
            large = sketch.apply(narrow, ss.Resize(scale, interpolation))
            image = sketch.apply(large, ss.Conv(kernel=sketch.choice(1, 3), filters=3))
        case "two_steps" if scale == 4:
            y = sketch.apply(x, ss.Conv(filters=4 * width), ss.DepthToSpace(2))
            image = sketch.apply(y, ss.Conv(filters=12), ss.DepthToSpace(2))
        case _:
            y = sketch.apply(x, ss.Conv(kernel=sketch.choice(1, 3, 5), filters=3 * scale**2))
            if skip == "tile":
                y = net.add(y, sketch.apply(net.input, ss.Tile(scale**2)))
            image = sketch.apply(y, ss.DepthToSpace(scale))
    if skip == "resize":
        enlarged = sketch.apply(net.input, ss.Resize(scale, sketch.choice(*ss.Interpolation)))
        image = net.add(image, enlarged)
    net.add_node(ss.Clip(), image)
    return net.graph
