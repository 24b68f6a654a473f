"""Random valid graphs for hypothesis, of all operators."""

from __future__ import annotations

from hypothesis import strategies as st

import search_spaces as ss
from search_spaces import INPUT, Activation, Graph, GraphBuilder, Operator


class Sketch:
    """A graph under way; all its tensors are of the input's size, and it knows their channels."""

    def __init__(self) -> None:
        self.net = GraphBuilder()
        self.channels = {INPUT: 3}
        self.used: set[str] = set()

    def apply(self, source: str, *operators: Operator, channels: int) -> str:
        """``operators`` one after another; the last gives ``channels``."""
        self.used.add(source)
        for operator in operators:
            source = self.net.add_node(operator, source)
        self.channels[source] = channels
        return source

    def join(self, operator: Operator, *sources: str, channels: int) -> str:
        """An operator of several inputs."""
        self.used.update(sources)
        name = self.net.add_node(operator, *sources)
        self.channels[name] = channels
        return name

    def finish(self, scale: int, form: ss.ClipForm) -> Graph:
        """Whatever nobody read yet goes into the image."""
        idle = [name for name in self.channels if name not in self.used]
        features = idle[0]
        if len(idle) > 1:
            features = self.net.concat(*idle)
        return self.net.image(self.net.conv(features, 3 * scale**2), scale, form)


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """Any network of up to eight steps on features of the input's size, and an image at the end."""
    sketch = Sketch()
    for _ in range(draw(st.integers(1, 8))):
        source = draw(st.sampled_from(sorted(sketch.channels)))
        draw(st.sampled_from(_STEPS))(draw, sketch, source)
    return sketch.finish(draw(st.integers(2, 4)), draw(st.sampled_from(ss.ClipForm)))


def _convolve(draw: st.DrawFn, sketch: Sketch, source: str) -> None:
    channels = sketch.channels[source]
    groups = draw(st.sampled_from([n for n in (1, 2, 3, 4) if channels % n == 0]))
    filters = groups * draw(st.integers(1, 6))
    operator = ss.Conv(
        kernel=draw(st.sampled_from([1, 2, 3, 5])),
        dilation=draw(st.integers(1, 2)),
        bias=draw(st.booleans()),
        activation=draw(st.sampled_from(Activation)),
        filters=filters,
        groups=groups,
    )
    sketch.apply(source, operator, channels=filters)


def _keep(draw: st.DrawFn, sketch: Sketch, source: str) -> None:
    operators: list[Operator] = [
        ss.DepthwiseConv(kernel=5),
        ss.Relu(),
        ss.LeakyRelu(alpha=0.25),
        ss.PRelu(),
        ss.Sigmoid(),
        ss.Tanh(),
        ss.HardSwish(),
        ss.Clip(),
        ss.Pool(reduction=draw(st.sampled_from(ss.Reduction)), size=3),
    ]
    operator = draw(st.sampled_from(operators))
    sketch.apply(source, operator, channels=sketch.channels[source])


def _there_and_back(draw: st.DrawFn, sketch: Sketch, source: str) -> None:
    channels, by = sketch.channels[source], draw(st.integers(2, 3))
    interpolation = draw(st.sampled_from(ss.Interpolation))
    routes: list[tuple[int, tuple[Operator, ...]]] = [
        (channels * by**2, (ss.Resize(by, interpolation), ss.SpaceToDepth(by))),
        (channels, (ss.SpaceToDepth(by), ss.DepthToSpace(by))),
        (2 * by**2, (ss.TransposedConv(2, 3, by), ss.SpaceToDepth(by))),
        (2, (ss.Conv(filters=2 * by**2, stride=by), ss.DepthToSpace(by))),
        (channels, (ss.Pool(size=2, stride=by), ss.Resize(by, interpolation))),
        (4, (ss.Pad(by), ss.Conv(kernel=2 * by + 1, padding=ss.Padding.VALID, filters=4))),
    ]
    result, operators = draw(st.sampled_from(routes))
    sketch.apply(source, *operators, channels=result)


def _recount(draw: st.DrawFn, sketch: Sketch, source: str) -> None:
    channels = sketch.channels[source]
    begin = draw(st.integers(0, channels - 1))
    size = draw(st.integers(1, channels - begin))
    choices: list[tuple[int, Operator]] = [
        (size, ss.Slice(begin, size)),
        (2 * channels, ss.Tile(2)),
        (2 * channels, ss.NearestConv(2)),
        *((channels // n, ss.Split(n, n - 1)) for n in (2, 3) if channels % n == 0),
    ]
    result, operator = draw(st.sampled_from(choices))
    sketch.apply(source, operator, channels=result)


def _combine(draw: st.DrawFn, sketch: Sketch, source: str) -> None:
    channels = sketch.channels[source]
    same = sorted(name for name, count in sketch.channels.items() if count == channels)
    other = draw(st.sampled_from(same))
    if channels % 2 == 0 and draw(st.booleans()):
        # Twice as large, and back.
        rows = sketch.net.add_node(ss.ShuffleRows(), source, other)
        sketch.apply(rows, ss.SpaceToDepth(2), channels=2 * channels)
        return
    operators: list[tuple[int, Operator]] = [
        (channels, ss.Add(draw(st.sampled_from(Activation)))),
        (channels, ss.Subtract()),
        (channels, ss.Multiply()),
        (2 * channels, ss.Concat()),
    ]
    result, operator = draw(st.sampled_from(operators))
    sketch.join(operator, source, other, channels=result)


def _weigh(draw: st.DrawFn, sketch: Sketch, source: str) -> None:
    channels = sketch.channels[source]
    mean = sketch.net.add_node(ss.Mean(), source)
    sketch.join(draw(st.sampled_from([ss.Add(), ss.Multiply()])), source, mean, channels=channels)


_STEPS = (_convolve, _keep, _there_and_back, _recount, _combine, _weigh)
