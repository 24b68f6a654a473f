"""What a search space returns: a graph to train, and how it is deployed."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable
from dataclasses import InitVar, dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ..attributes import require_types
from ..errors import GraphError
from ..graph.graph import Graph
from .equalization import equalize
from .folding import ResidualFold, fold_clip, fold_residual, separate_sum
from .rewrites import Rewrite, merge_branches, pad_channels
from .shuffling import PixelShuffle, shuffle_by_rows

if TYPE_CHECKING:
    from .rewrites import Array, Weights


@dataclass(frozen=True)
class Deployment:
    """The rewrites from the trained graph to the one that runs on the device."""

    #: the image residual as three more channels, and who adds them
    fold_residual: ResidualFold = ResidualFold.NONE
    #: the clip as one more convolution
    fold_clip: bool = False
    #: feature maps are widened to a multiple of this many channels
    channel_step: int = 1
    #: how depth_to_space is written
    pixel_shuffle: PixelShuffle = PixelShuffle.OPERATOR

    def __post_init__(self) -> None:
        require_types(self)
        if not 1 <= self.channel_step <= 64:
            raise GraphError(f"channel_step {self.channel_step} is not within 1..64")

    @classmethod
    def from_json(cls, data: object) -> Deployment:
        """What ``dataclasses.asdict`` gives, or part of it; GraphError says what is wrong."""
        if not isinstance(data, dict):
            raise GraphError(f"deployment is {type(data).__name__}, not an object")
        known = dataclasses.asdict(cls())
        options = dict(data)
        for key, value in options.items():
            if key not in known:
                raise GraphError(f"deployment: {key} is not among {', '.join(known)}")
            try:
                options[key] = type(known[key])(value)
            except (TypeError, ValueError):
                options[key] = None
            if options[key] != value:
                raise GraphError(f"deployment: {key} = {value!r} is none of its values")
        return cls(**options)


@dataclass(frozen=True)
class Candidate:
    """A graph to be trained, and its deployment; GraphError if it cannot be deployed so.

    Branches are always merged before INT8; ``deployment`` says what else is done.
    """

    graph: Graph
    deployment: Deployment = Deployment()
    #: the same network, its depth_to_space written otherwise: what both share is made once. No
    #: field: ``dataclasses.replace`` makes another network, which shares nothing.
    twin: InitVar[Candidate | None] = None
    _twin: Candidate | None = field(default=None, init=False, repr=False, compare=False)

    def __post_init__(self, twin: Candidate | None) -> None:
        object.__setattr__(self, "_twin", twin)
        self.rewrite  # noqa: B018 - what cannot be rewritten is refused here, once

    def __reduce__(self) -> tuple[type[Candidate], tuple[Graph, Deployment]]:
        return Candidate, (self.graph, self.deployment)  # functions of rewrites cannot be sent

    @cached_property
    def merged(self) -> Rewrite:
        """Rewrites ``graph`` to its form with branches merged, prepared for folding."""
        if self._twin is not None:
            return self._twin.merged
        merged = merge_branches(self.graph)
        separate = self.deployment.fold_residual is ResidualFold.SUM
        return merged.then(separate_sum) if separate else merged

    @cached_property
    def _folded(self) -> Rewrite:
        """Rewrites the merged graph to its form with residual and clip folded."""
        if self._twin is not None:
            return self._twin._folded
        rewrite = Rewrite(self.merged.graph)
        if self.deployment.fold_residual is not ResidualFold.NONE:
            rewrite = rewrite.then(fold_residual)
        return rewrite.then(fold_clip) if self.deployment.fold_clip else rewrite

    @cached_property
    def rewrite(self) -> Rewrite:
        """Rewrites the merged graph to the deployed one."""
        rewrite = self._folded
        if self.deployment.pixel_shuffle is PixelShuffle.ROWS:
            rewrite = rewrite.then(shuffle_by_rows)
        if self.deployment.channel_step > 1:
            rewrite = rewrite.then(lambda graph: pad_channels(graph, self.deployment.channel_step))
        return rewrite

    def shuffled(self, pixel_shuffle: PixelShuffle) -> Candidate:
        """The same network with this form of depth_to_space."""
        if self.deployment.pixel_shuffle is pixel_shuffle:
            return self
        if self._twin is not None:  # there are two ways
            return self._twin
        deployment = replace(self.deployment, pixel_shuffle=pixel_shuffle)
        return Candidate(self.graph, deployment, twin=self)

    def deploy(
        self, weights: Weights, largest: Callable[[Graph, Weights], Weights]
    ) -> dict[str, Array]:
        """The weights of the deployed graph.

        ``largest`` tells the largest absolute value of each channel of each tensor of a graph,
        normalized, on typical images.
        """
        merged = self.merged.carry(weights)
        if self.deployment.fold_residual is not ResidualFold.NONE:
            graph = self.merged.graph
            merged = equalize(graph, merged, largest(graph, merged))
        return self.rewrite.carry(merged)

    def learned(self, weights: Weights) -> dict[str, Array]:
        """Masks: 1 where a deployed weight depends on ``weights``, 0 where a rewrite set it.

        Only the shapes of ``weights`` matter. What a rewrite put carries an image or a clip
        exactly, and training would blur it.
        """
        import numpy as np

        draws = [np.random.default_rng(seed) for seed in (0, 1)]
        first, second = (
            self.rewrite.carry(
                self.merged.carry(
                    {name: draw.random(np.shape(w), np.float32) for name, w in weights.items()}
                )
            )
            for draw in draws
        )
        return {name: (w != second[name]).astype(np.float32) for name, w in first.items()}

    @property
    def deployed(self) -> Graph:
        """The graph that runs on the device."""
        return self.rewrite.graph

    @cached_property
    def hash(self) -> str:
        """16 hex digits; equal for equal trained and deployed graphs."""
        if self.deployed.hash == self.merged.graph.hash:
            return self.graph.hash
        text = f"{self.graph.hash}/{self.deployed.hash}"
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def to_json(self) -> dict[str, Any]:
        """Plain values that ``from_json`` reads back."""
        return {
            "graph": self.graph.to_json(),
            "deployment": dataclasses.asdict(self.deployment),
        }

    @classmethod
    def from_json(cls, data: object) -> Candidate:
        """What ``to_json`` wrote, or a bare graph; GraphError says what is wrong with it."""
        if not isinstance(data, dict):
            return cls(Graph.from_json(data))
        graph = Graph.from_json(data.get("graph"))
        return cls(graph, Deployment.from_json(data.get("deployment", {})))
