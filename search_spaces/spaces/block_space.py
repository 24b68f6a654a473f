"""What a network of some form may choose from, and how its choices become a network.

A stem, up to three stages of blocks, each of a kind, a width and a number of its own, a skip, a
tail, what makes pixels of it, and how it is deployed. A choice that only some networks have is
asked for only there; a choice of one is not asked for at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from ..graph.activations import ClipForm
from ..graph.builder import GraphBuilder, Nonlinearity
from ..graph.convolutions import Branches
from ..transforms.candidate import Candidate, Deployment
from ..transforms.folding import ResidualFold
from .asking import Trial
from .blocks import BlockKind, Head, Residual, Skip, Style, block, image_of, parallel_stem, shrink

WIDTHS = (8, 64)
WIDTH_STEP = 4
REPEATS = (1, 4)
#: Of a transposed convolution; 3 at x3 is a conv 1x1 and depth_to_space in one.
HEAD_KERNELS = (3, 5, 9)
STEM_BRANCHES = 4
SKIP_CHANNELS = 16

_Choice = TypeVar("_Choice")


class Stem(StrEnum):
    """The first layer."""

    CONV3 = "conv3"
    CONV5 = "conv5"
    #: four convs 3x3 side by side
    PARALLEL = "parallel"


class ChannelMixer(StrEnum):
    """A conv 1x1 between the stem and the body."""

    NONE = "none"
    LINEAR = "linear"
    ACTIVATED = "activated"


class Tail(StrEnum):
    """Layers between the body and the pixels."""

    NONE = "none"
    #: one conv 3x3 of as many channels as pixels need (ABPN)
    PIXELS = "pixels"
    #: a conv 1x1 to the stem's width (FSRCNN)
    EXPAND = "expand"
    #: two convs 3x3 of the body's width
    WIDE = "wide"


_FOLDABLE = (Residual.ANCHOR, Residual.NEAREST_CONV, Residual.NEAREST)
_FOLDABLE_BLOCKS = {BlockKind.PLAIN, BlockKind.RESIDUAL}
_OF_PIXELS = {Residual.NONE, Residual.NEAREST, Residual.BILINEAR}
#: A tanh's -1..1 goes neither into products nor beside grey levels; what a clip holds in 0..255
#: goes beside nothing of another range.
_UNFIT_BLOCKS = {Nonlinearity.TANH: frozenset({BlockKind.ATTENTION})}
_UNFIT_SKIPS = {
    Nonlinearity.TANH: frozenset({Skip.CONCAT_IMAGE}),
    Nonlinearity.CLIP: frozenset({Skip.CONCAT_CONV, Skip.GATHER}),
}
_NEEDS_WIDTH = (BlockKind.RESIDUAL, BlockKind.ATTENTION)


@dataclass(frozen=True)
class BlockSpace:
    """The choices, and a name before those of its parameters: Optuna wants one name for one set."""

    name: str = ""
    activations: tuple[Nonlinearity, ...] = (Nonlinearity.RELU,)
    branches: tuple[Branches, ...] = (Branches.NONE,)
    #: by how much space_to_depth shrinks the image
    strides: tuple[int, ...] = (1,)
    stems: tuple[Stem, ...] = (Stem.CONV3,)
    mixes: tuple[ChannelMixer, ...] = (ChannelMixer.NONE,)
    #: the smallest and the largest number of stages
    stages: tuple[int, int] = (1, 3)
    blocks: tuple[BlockKind, ...] = (BlockKind.PLAIN,)
    skips: tuple[Skip, ...] = (Skip.NONE,)
    tails: tuple[Tail, ...] = tuple(Tail)
    heads: tuple[Head, ...] = (Head.DEPTH_TO_SPACE,)
    residuals: tuple[Residual, ...] = tuple(Residual)
    clips: tuple[ClipForm, ...] = tuple(ClipForm)
    #: may the residual and the clip be folded, where they can be?
    folding: bool = False
    #: what feature maps may be widened to a multiple of
    channel_steps: tuple[int, ...] = (1, 4, 8, 16)

    def choose(self, trial: Trial, name: str, choices: tuple[_Choice, ...]) -> _Choice:
        """One of ``choices``; where there is one, nothing is asked."""
        if len(choices) == 1:
            return choices[0]
        chosen = trial.suggest_categorical(f"{self.name}{name}", choices)
        return next(choice for choice in choices if choice == chosen)

    def sample(self, trial: Trial, scale: int) -> Candidate:
        """A network of this form for ``scale``."""
        choices = _choose(trial, self, scale)
        body = _Body(trial, choices)
        features, kernel = body.tail(scale), HEAD_KERNELS[0]
        if choices.head is Head.TRANSPOSED:
            kernel = trial.suggest_categorical("head_kernel", HEAD_KERNELS)
        graph = image_of(
            body.net, choices.style, features, scale,
            residual=choices.residual, head=choices.head, head_kernel=kernel,
            stride=choices.stride, clip=choices.clip,
        )  # fmt: skip
        return Candidate(graph, choices.deployment)


@dataclass(frozen=True)
class _Choices:
    """All but the sizes."""

    style: Style
    stride: int
    stem: Stem
    mix: ChannelMixer
    kinds: tuple[BlockKind, ...]
    skip: Skip
    tail: Tail
    head: Head
    residual: Residual
    deployment: Deployment
    clip: ClipForm


def _choose(trial: Trial, space: BlockSpace, scale: int) -> _Choices:
    then = space.choose(trial, "activation", space.activations)
    style = Style(then, space.choose(trial, "branches", space.branches))
    stride = space.choose(trial, "space_to_depth", space.strides)
    stem = space.choose(trial, "stem", space.stems)
    mix = space.choose(trial, "mix", space.mixes)
    stages = range(1, trial.suggest_int(f"{space.name}stages", *space.stages) + 1)
    suffix, blocks = _fitting(space.blocks, then, _UNFIT_BLOCKS)
    kinds = tuple(space.choose(trial, f"block_{index}{suffix}", blocks) for index in stages)
    suffix, skips = _fitting(space.skips, then, _UNFIT_SKIPS)
    skip = space.choose(trial, f"skip{suffix}", skips)
    tail = space.choose(trial, "tail", space.tails)
    head = space.choose(trial, "head", space.heads)
    residual = _choose_residual(trial, space, head, stride, scale)
    straight = stem is not Stem.PARALLEL and skip is Skip.NONE and set(kinds) <= _FOLDABLE_BLOCKS
    foldable = space.folding and straight and head is Head.DEPTH_TO_SPACE and stride == 1
    foldable = foldable and then is not Nonlinearity.TANH and residual in _FOLDABLE
    fold = ResidualFold.NONE
    if foldable:
        fold = ResidualFold(trial.suggest_categorical("fold_residual", tuple(ResidualFold)))
    folded = fold is not ResidualFold.NONE
    bare = head is Head.DEPTH_TO_SPACE and (folded or residual is Residual.NONE)
    turned = space.folding and bare and trial.suggest_categorical("fold_clip", (False, True))
    clip = ClipForm.SATURATE if turned else space.choose(trial, "clip", space.clips)
    step = space.choose(trial, "channel_step", space.channel_steps)
    deployment = Deployment(fold_residual=fold, fold_clip=turned, channel_step=step)
    return _Choices(style, stride, stem, mix, kinds, skip, tail, head, residual, deployment, clip)


def _fitting(
    choices: tuple[_Choice, ...],
    then: Nonlinearity,
    unfit: Mapping[Nonlinearity, frozenset[_Choice]],
) -> tuple[str, tuple[_Choice, ...]]:
    """What of ``choices`` goes with an activation, and a suffix for the name if that is not all."""
    left = tuple(choice for choice in choices if choice not in unfit.get(then, ()))
    return ("" if left == choices else f"_of_{then}"), left


def _choose_residual(
    trial: Trial, space: BlockSpace, head: Head, stride: int, scale: int
) -> Residual:
    """One of those that fit the head."""
    name, fitting = "residual", set(space.residuals)
    if head is not Head.DEPTH_TO_SPACE:
        name, fitting = "residual_of_pixels", fitting & _OF_PIXELS
    elif stride > 1:
        name, fitting = "residual_of_blocks", fitting & (_OF_PIXELS | {Residual.CONV})
    if scale == 3:  # TFLite's integer bilinear resize by 3 is up to 21 levels off
        fitting -= {Residual.BILINEAR}
    return space.choose(trial, name, tuple(choice for choice in Residual if choice in fitting))


class _Body:
    """What lies between the image and the head; each width is asked for where it is needed."""

    def __init__(self, trial: Trial, choices: _Choices) -> None:
        self.net = GraphBuilder()
        self._trial, self._choices = trial, choices
        self._source = shrink(self.net, self.net.input, choices.stride)
        self._stem_width = self._width("stem_width")
        self._features_width = self._stem_width
        self._stem = self._mixed(self._first_layer())
        self._mixed_width = self._features_width
        results = self._stages()
        self._features = self._skipped(results)

    def tail(self, scale: int) -> str:
        """The features that the head makes pixels of."""
        net, style, features = self.net, self._choices.style, self._features
        match self._choices.tail:
            case Tail.PIXELS:
                return style.conv(net, features, 3 * (scale * self._choices.stride) ** 2)
            case Tail.EXPAND:
                return style.conv(net, features, self._stem_width, kernel=1)
            case Tail.WIDE:
                width = self._features_width
                return style.conv(net, style.conv(net, features, width), width)
        return features

    def _width(self, name: str) -> int:
        """Of the deployed feature map: folding adds the image's three channels."""
        width = self._trial.suggest_int(name, *WIDTHS, step=WIDTH_STEP)
        folded = self._choices.deployment.fold_residual is not ResidualFold.NONE
        return width - 3 if folded else width

    def _first_layer(self) -> str:
        net, style, width = self.net, self._choices.style, self._stem_width
        match self._choices.stem:
            case Stem.PARALLEL:
                return parallel_stem(net, style, self._source, width, STEM_BRANCHES)
            case Stem.CONV5:
                return style.conv(net, self._source, width, kernel=5)
        return style.conv(net, self._source, width)

    def _mixed(self, stem: str) -> str:
        if self._choices.mix is ChannelMixer.NONE:
            return stem
        self._features_width = self._width("mix_width")
        linear = self._choices.mix is ChannelMixer.LINEAR
        style = self._choices.style.linear if linear else self._choices.style
        return style.conv(self.net, stem, self._features_width, kernel=1)

    def _stages(self) -> list[str]:
        features, results = self._stem, list[str]()
        for stage, kind in enumerate(self._choices.kinds, 1):
            width = self._width(f"width_{stage}")
            if kind in _NEEDS_WIDTH and width != self._features_width:
                features = self.net.conv(features, width, kernel=1)
            for _ in range(self._trial.suggest_int(f"repeats_{stage}", *REPEATS)):
                features = block(self.net, self._choices.style, kind, features, width)
                results.append(features)
            self._features_width = width
        return results

    def _skipped(self, results: list[str]) -> str:
        net, style, features = self.net, self._choices.style, results[-1]
        width = self._features_width
        match self._choices.skip:
            case Skip.NONE:
                return features
            case Skip.CONCAT_IMAGE:
                return net.concat(features, self._source)
            case Skip.CONCAT_CONV:
                beside = net.conv(self._source, SKIP_CHANNELS)
                return style.conv(net, net.concat(features, beside), width, kernel=1)
            case Skip.GATHER:
                gathered = net.concat(*results) if len(results) > 1 else features
                features = net.conv(gathered, self._mixed_width, kernel=1)
            case Skip.ADD if width != self._mixed_width:
                features = net.conv(features, self._mixed_width, kernel=1)
        self._features_width = self._mixed_width
        return net.add(self._stem, features)
