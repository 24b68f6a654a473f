"""Candidates, which search spaces return: a graph to train and how it is deployed."""

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
    """Options of the rewrites from the trained graph to the graph that runs on the device."""

    #: which convolution adds the image if the image residual is carried by three more channels
    fold_residual: ResidualFold = ResidualFold.NONE
    #: whether the clip is replaced by a ReLU and a 1x1 convolution
    fold_clip: bool = False
    #: feature maps are widened to a multiple of this number of channels
    channel_step: int = 1
    #: the operators that implement depth_to_space
    pixel_shuffle: PixelShuffle = PixelShuffle.OPERATOR

    def __post_init__(self) -> None:
        require_types(self)
        if not 1 <= self.channel_step <= 64:
            raise GraphError(f"channel_step {self.channel_step} is not within 1..64")

    @classmethod
    def from_json(cls, data: object) -> Deployment:
        """Returns the deployment of these fields; raises GraphError for invalid ones."""
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
                raise GraphError(f"deployment: {key} = {value!r} is not a valid value")
        return cls(**options)


@dataclass(frozen=True)
class Candidate:
    """A graph to be trained and its deployment; raises GraphError if they do not match.

    Branches are always merged before quantization; ``deployment`` specifies further rewrites.
    """

    graph: Graph
    deployment: Deployment = Deployment()
    #: the same network with the other form of depth_to_space; its cached rewrites are reused.
    #: It is not a field, so that copies by ``dataclasses.replace`` share nothing.
    twin: InitVar[Candidate | None] = None
    _twin: Candidate | None = field(default=None, init=False, repr=False, compare=False)

    def __post_init__(self, twin: Candidate | None) -> None:
        object.__setattr__(self, "_twin", twin)
        self.rewrite  # noqa: B018 - raises GraphError if the graph cannot be rewritten

    def __reduce__(self) -> tuple[type[Candidate], tuple[Graph, Deployment]]:
        return Candidate, (self.graph, self.deployment)  # cached functions cannot be pickled

    @cached_property
    def merged(self) -> Rewrite:
        """Rewrite of ``graph`` that merges its branches and prepares it for folding."""
        if self._twin is not None:
            return self._twin.merged
        merged = merge_branches(self.graph)
        has_separate_sum = self.deployment.fold_residual is ResidualFold.SUM
        return merged.then(separate_sum) if has_separate_sum else merged

    @cached_property
    def _folded(self) -> Rewrite:
        """Rewrite of the merged graph that folds the residual and the clip."""
        if self._twin is not None:
            return self._twin._folded
        rewrite = Rewrite(self.merged.graph)
        if self.deployment.fold_residual is not ResidualFold.NONE:
            rewrite = rewrite.then(fold_residual)
        return rewrite.then(fold_clip) if self.deployment.fold_clip else rewrite

    @cached_property
    def rewrite(self) -> Rewrite:
        """Rewrite of the merged graph to the deployed graph."""
        rewrite = self._folded
        if self.deployment.pixel_shuffle is PixelShuffle.ROWS:
            rewrite = rewrite.then(shuffle_by_rows)
        if self.deployment.channel_step > 1:
            rewrite = rewrite.then(lambda graph: pad_channels(graph, self.deployment.channel_step))
        return rewrite

    def shuffled(self, pixel_shuffle: PixelShuffle) -> Candidate:
        """Returns the same network with this form of depth_to_space."""
        if self.deployment.pixel_shuffle is pixel_shuffle:
            return self
        if self._twin is not None:  # of the two forms, the twin has the other one
            return self._twin
        deployment = replace(self.deployment, pixel_shuffle=pixel_shuffle)
        return Candidate(self.graph, deployment, twin=self)

    def deploy(
        self, weights: Weights, channel_maxima: Callable[[Graph, Weights], Weights]
    ) -> dict[str, Array]:
        """Returns the weights of the deployed graph.

        ``channel_maxima`` returns the largest absolute value of each channel of each tensor of a
        graph with these weights, normalized, on typical images.
        """
        merged = self.merged.carry(weights)
        if self.deployment.fold_residual is not ResidualFold.NONE:
            graph = self.merged.graph
            merged = equalize(graph, merged, channel_maxima(graph, merged))
        return self.rewrite.carry(merged)

    def learned(self, weights: Weights) -> dict[str, Array]:
        """Returns masks: 1 where a deployed weight depends on ``weights``, 0 if a rewrite set it.

        Only the shapes of ``weights`` matter. Weights that rewrites set carry an image or a clip
        exactly, and further training must not change them.
        """
        import numpy as np

        generators = [np.random.default_rng(seed) for seed in (0, 1)]
        first, second = (
            self.rewrite.carry(
                self.merged.carry(
                    {name: rng.random(np.shape(w), np.float32) for name, w in weights.items()}
                )
            )
            for rng in generators
        )
        return {name: (w != second[name]).astype(np.float32) for name, w in first.items()}

    @property
    def deployed(self) -> Graph:
        """The graph that runs on the device."""
        return self.rewrite.graph

    @cached_property
    def hash(self) -> str:
        """Hash of 16 hex digits; equal for candidates with equal trained and deployed graphs."""
        if self.deployed.hash == self.merged.graph.hash:
            return self.graph.hash
        text = f"{self.graph.hash}/{self.deployed.hash}"
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def to_json(self) -> dict[str, Any]:
        """Returns JSON values that ``from_json`` reads back."""
        return {
            "graph": self.graph.to_json(),
            "deployment": dataclasses.asdict(self.deployment),
        }

    @classmethod
    def from_json(cls, data: object) -> Candidate:
        """Reads what ``to_json`` wrote, or a bare graph; raises GraphError if it is invalid."""
        if not isinstance(data, dict):
            return cls(Graph.from_json(data))
        graph = Graph.from_json(data.get("graph"))
        return cls(graph, Deployment.from_json(data.get("deployment", {})))
