"""A configurable search space of networks built from blocks; the built-in spaces use it.

A network has a stem, up to three stages of blocks, each with its own block kind, width and number
of blocks, then a skip, a tail, a head that computes pixels, and a deployment. A parameter is
sampled only for networks that it applies to, and not at all if there is only one choice.
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
#: Kernel sizes of a transposed convolution; 3 at x3 equals a 1x1 convolution and depth_to_space.
HEAD_KERNELS = (3, 5, 9)
STEM_BRANCHES = 4
SKIP_CHANNELS = 16

_ChoiceType = TypeVar("_ChoiceType")


class Stem(StrEnum):
    """The first layer of a network."""

    CONV3 = "conv3"
    CONV5 = "conv5"
    #: four convs 3x3 side by side
    PARALLEL = "parallel"


class ChannelMixer(StrEnum):
    """A 1x1 convolution between the stem and the body, with or without an activation."""

    NONE = "none"
    LINEAR = "linear"
    ACTIVATED = "activated"


class Tail(StrEnum):
    """Layers between the body and the pixels."""

    NONE = "none"
    #: one conv 3x3 with as many channels as depth_to_space needs (ABPN)
    PIXELS = "pixels"
    #: a conv 1x1 to the stem's width (FSRCNN)
    EXPAND = "expand"
    #: two convs 3x3 of the body's width
    WIDE = "wide"


_FOLDABLE_RESIDUALS = (Residual.ANCHOR, Residual.NEAREST_CONV, Residual.NEAREST)
_FOLDABLE_BLOCKS = {BlockKind.PLAIN, BlockKind.RESIDUAL}
#: Residuals that are added after the head, to the pixels.
_PIXEL_RESIDUALS = {Residual.NONE, Residual.NEAREST, Residual.BILINEAR}
#: Blocks and skips that an activation excludes. The output of a tanh, in -1..1, can be neither
#: multiplied nor concatenated with grey levels; the output of a clip, in 0..255, cannot be
#: concatenated with tensors of another range.
_INCOMPATIBLE_BLOCKS = {Nonlinearity.TANH: frozenset({BlockKind.ATTENTION})}
_INCOMPATIBLE_SKIPS = {
    Nonlinearity.TANH: frozenset({Skip.CONCAT_IMAGE}),
    Nonlinearity.CLIP: frozenset({Skip.CONCAT_CONV, Skip.GATHER}),
}
_WIDTH_PRESERVING_BLOCKS = (BlockKind.RESIDUAL, BlockKind.ATTENTION)


@dataclass(frozen=True)
class BlockSpace:
    """The choices of a space; ``name`` is a prefix of its parameters' names.

    The prefix distinguishes spaces, since Optuna requires the same choices for the same name.
    """

    name: str = ""
    activations: tuple[Nonlinearity, ...] = (Nonlinearity.RELU,)
    branches: tuple[Branches, ...] = (Branches.NONE,)
    #: factors by which space_to_depth shrinks the image
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
    #: whether the residual and the clip may be folded in networks that permit it
    folding: bool = False
    #: feature maps are widened to a multiple of one of these numbers of channels
    channel_steps: tuple[int, ...] = (1, 4, 8, 16)

    def choose(self, trial: Trial, name: str, choices: tuple[_ChoiceType, ...]) -> _ChoiceType:
        """Returns one of ``choices``; asks the trial only if there are several."""
        if len(choices) == 1:
            return choices[0]
        chosen = trial.suggest_categorical(f"{self.name}{name}", choices)
        return next(choice for choice in choices if choice == chosen)

    def sample(self, trial: Trial, scale: int) -> Candidate:
        """Returns a network of this space for ``scale``."""
        choices = _sample_choices(trial, self, scale)
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
    """All choices of a network except widths and numbers of blocks."""

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


def _sample_choices(trial: Trial, space: BlockSpace, scale: int) -> _Choices:
    then = space.choose(trial, "activation", space.activations)
    style = Style(then, space.choose(trial, "branches", space.branches))
    stride = space.choose(trial, "space_to_depth", space.strides)
    stem = space.choose(trial, "stem", space.stems)
    mix = space.choose(trial, "mix", space.mixes)
    stages = range(1, trial.suggest_int(f"{space.name}stages", *space.stages) + 1)
    suffix, blocks = _compatible_choices(space.blocks, then, _INCOMPATIBLE_BLOCKS)
    kinds = tuple(space.choose(trial, f"block_{index}{suffix}", blocks) for index in stages)
    suffix, skips = _compatible_choices(space.skips, then, _INCOMPATIBLE_SKIPS)
    skip = space.choose(trial, f"skip{suffix}", skips)
    tail = space.choose(trial, "tail", space.tails)
    head = space.choose(trial, "head", space.heads)
    residual = _sample_residual(trial, space, head, stride, scale)
    is_straight = stem is not Stem.PARALLEL and skip is Skip.NONE and set(kinds) <= _FOLDABLE_BLOCKS
    foldable = space.folding and is_straight and head is Head.DEPTH_TO_SPACE and stride == 1
    foldable = foldable and then is not Nonlinearity.TANH and residual in _FOLDABLE_RESIDUALS
    fold = ResidualFold.NONE
    if foldable:
        fold = ResidualFold(trial.suggest_categorical("fold_residual", tuple(ResidualFold)))
    is_folded = fold is not ResidualFold.NONE
    clip_is_foldable = head is Head.DEPTH_TO_SPACE and (is_folded or residual is Residual.NONE)
    clip_is_foldable = clip_is_foldable and space.folding
    folds_clip = clip_is_foldable and trial.suggest_categorical("fold_clip", (False, True))
    clip = ClipForm.SATURATE if folds_clip else space.choose(trial, "clip", space.clips)
    step = space.choose(trial, "channel_step", space.channel_steps)
    deployment = Deployment(fold_residual=fold, fold_clip=folds_clip, channel_step=step)
    return _Choices(style, stride, stem, mix, kinds, skip, tail, head, residual, deployment, clip)


def _compatible_choices(
    choices: tuple[_ChoiceType, ...],
    then: Nonlinearity,
    incompatible: Mapping[Nonlinearity, frozenset[_ChoiceType]],
) -> tuple[str, tuple[_ChoiceType, ...]]:
    """Returns a suffix for the parameter's name, and the choices compatible with an activation.

    The suffix is empty if all choices are compatible.
    """
    compatible = tuple(choice for choice in choices if choice not in incompatible.get(then, ()))
    return ("" if compatible == choices else f"_of_{then}"), compatible


def _sample_residual(
    trial: Trial, space: BlockSpace, head: Head, stride: int, scale: int
) -> Residual:
    """Returns one of the residuals that are compatible with the head, stride and scale."""
    name, allowed = "residual", set(space.residuals)
    if head is not Head.DEPTH_TO_SPACE:
        name, allowed = "residual_of_pixels", allowed & _PIXEL_RESIDUALS
    elif stride > 1:
        name, allowed = "residual_of_blocks", allowed & (_PIXEL_RESIDUALS | {Residual.CONV})
    if scale == 3:  # TFLite's integer bilinear resize by 3 is up to 21 levels off
        allowed -= {Residual.BILINEAR}
    return space.choose(trial, name, tuple(choice for choice in Residual if choice in allowed))


class _Body:
    """Builds the layers between the image and the head; samples each width when it is needed."""

    def __init__(self, trial: Trial, choices: _Choices) -> None:
        self.net = GraphBuilder()
        self._trial, self._choices = trial, choices
        self._source = shrink(self.net, self.net.input, choices.stride)
        self._stem_width = self._sample_width("stem_width")
        self._features_width = self._stem_width
        self._stem = self._add_channel_mixer(self._add_stem())
        self._mixed_width = self._features_width
        results = self._add_stages()
        self._features = self._add_skip(results)

    def tail(self, scale: int) -> str:
        """Adds the tail and returns the name of its result, which is the input of the head."""
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

    def _sample_width(self, name: str) -> int:
        """Samples a width of the deployed feature map; returns that of the trained one.

        The deployed one is wider by the image's three channels if the residual is folded.
        """
        width = self._trial.suggest_int(name, *WIDTHS, step=WIDTH_STEP)
        is_folded = self._choices.deployment.fold_residual is not ResidualFold.NONE
        return width - 3 if is_folded else width

    def _add_stem(self) -> str:
        net, style, width = self.net, self._choices.style, self._stem_width
        match self._choices.stem:
            case Stem.PARALLEL:
                return parallel_stem(net, style, self._source, width, STEM_BRANCHES)
            case Stem.CONV5:
                return style.conv(net, self._source, width, kernel=5)
        return style.conv(net, self._source, width)

    def _add_channel_mixer(self, stem: str) -> str:
        if self._choices.mix is ChannelMixer.NONE:
            return stem
        self._features_width = self._sample_width("mix_width")
        linear = self._choices.mix is ChannelMixer.LINEAR
        style = self._choices.style.linear if linear else self._choices.style
        return style.conv(self.net, stem, self._features_width, kernel=1)

    def _add_stages(self) -> list[str]:
        features, results = self._stem, list[str]()
        for stage, kind in enumerate(self._choices.kinds, 1):
            width = self._sample_width(f"width_{stage}")
            if kind in _WIDTH_PRESERVING_BLOCKS and width != self._features_width:
                features = self.net.conv(features, width, kernel=1)
            for _ in range(self._trial.suggest_int(f"repeats_{stage}", *REPEATS)):
                features = block(self.net, self._choices.style, kind, features, width)
                results.append(features)
            self._features_width = width
        return results

    def _add_skip(self, results: list[str]) -> str:
        net, style, features = self.net, self._choices.style, results[-1]
        width = self._features_width
        match self._choices.skip:
            case Skip.NONE:
                return features
            case Skip.CONCAT_IMAGE:
                return net.concat(features, self._source)
            case Skip.CONCAT_CONV:
                image_features = net.conv(self._source, SKIP_CHANNELS)
                return style.conv(net, net.concat(features, image_features), width, kernel=1)
            case Skip.GATHER:
                gathered = net.concat(*results) if len(results) > 1 else features
                features = net.conv(gathered, self._mixed_width, kernel=1)
            case Skip.ADD if width != self._mixed_width:
                features = net.conv(features, self._mixed_width, kernel=1)
        self._features_width = self._mixed_width
        return net.add(self._stem, features)
