"""The built-in spaces: what they hold, and that everything they can draw can be built."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from search_spaces import (
    BlockKind,
    Candidate,
    Conv,
    InputSpec,
    infer,
    lower,
    quantization_groups,
    zoo,
)
from search_spaces.spaces import mobile
from search_spaces.spaces.loading import built_in, load_space

from .trials import FixedTrial, RandomTrial

SPEC = InputSpec(24, 32)
SPACES = [module.__name__.rpartition(".")[2] for module in built_in()]


def plain(
    width: int, *repeats: int, residual: str = "none", tail: str = "none", **others: Any
) -> dict[str, Any]:
    """Parameters of a straight network of plain convolutions."""
    stages = {f"straight_block_{i}": "plain" for i in range(1, len(repeats) + 1)}
    widths = {f"width_{i}": width for i in range(1, len(repeats) + 1)}
    counts = {f"repeats_{i}": count for i, count in enumerate(repeats, 1)}
    folding = {"fold_residual": "none"} if residual in {"anchor", "nearest_conv", "nearest"} else {}
    turning = {"fold_clip": False} if residual == "none" else {}
    return {
        "form": "straight", "straight_activation": "relu", "straight_branches": "none",
        "straight_stem": "conv3", "straight_stages": len(repeats), "straight_tail": tail,
        "straight_residual": residual, "straight_clip": "saturate", "straight_channel_step": 1,
        "stem_width": width, **stages, **widths, **counts, **folding, **turning, **others,
    }  # fmt: skip


def folded(width: int, *repeats: int) -> dict[str, Any]:
    """ETDS: ``width`` is that of the deployed feature maps."""
    return plain(
        width, *repeats, residual="anchor", fold_residual="last", fold_clip=True,
        straight_channel_step=4,
    )  # fmt: skip


def free(kind: str, width: int, *repeats: int, **others: Any) -> dict[str, Any]:
    """Parameters of a free network, its body all of one kind and width."""
    stages = {f"free_block_{i}": kind for i in range(1, len(repeats) + 1)}
    widths = {f"width_{i}": width for i in range(1, len(repeats) + 1)}
    counts = {f"repeats_{i}": count for i, count in enumerate(repeats, 1)}
    return {
        "form": "free", "free_activation": "relu", "free_branches": "none",
        "free_space_to_depth": 1, "free_stem": "conv3", "free_mix": "none",
        "free_stages": len(repeats), "free_skip": "none", "free_tail": "none",
        "free_head": "depth_to_space", "free_residual": "none", "free_clip": "saturate",
        "free_channel_step": 1, "stem_width": width, **stages, **widths, **counts, **others,
    }  # fmt: skip


ECBSR = {"straight_activation": "prelu", "straight_branches": "expanded"}
TANH = {
    f"{key}_of_tanh" if key in {"free_block_1", "free_skip"} else key: value
    for key, value in free("plain", 32, 1, free_activation="tanh", free_stem="conv5").items()
}
#: The parameters of ``mobile`` that give each network of the zoo.
POINTS: dict[str, dict[str, Any]] = {
    "ABPN": plain(28, 4, residual="anchor", tail="pixels"),
    "XLSR": free(
        "grouped", 32, 3, free_stem="parallel", free_mix="linear", mix_width=32,
        free_skip="concat_conv",
    ),
    "TinySRNet": free(
        "residual", 32, 3, free_space_to_depth=2, free_residual_of_blocks="conv"
    ),
    "FastSR": plain(16, 3, residual="nearest", straight_block_1="residual"),
    "PRPSR": plain(36, 4, 1, straight_stem="conv5", straight_branches="pointwise"),
    "EDSR-attention": free("attention", 64, 4, 2, free_skip="gather", free_tail="wide"),
    "ESPCN": {**TANH, "stem_width": 64},
    "FSRCNN": free(
        "plain", 12, 4, free_activation="prelu", free_stem="conv5", free_mix="activated",
        mix_width=12, stem_width=56, free_tail="expand", free_head="transposed", head_kernel=9,
        free_residual_of_pixels="none",
    ),
    "ECBSR-M4C16": plain(16, 4, residual="anchor", **ECBSR),
    "ECBSR-M4C32": plain(32, 4, residual="anchor", **ECBSR),
    "ETDS-T": folded(16, 4, 1),
    "ETDS-S": folded(32, 4),
    "ETDS-M": folded(32, 4, 2),
    "ETDS-L": folded(48, 4, 3),
    "NCNet": plain(32, 4, residual="nearest_conv", tail="pixels"),
    "QuickSRNet-S": plain(32, 2, straight_activation="clip"),
    "QuickSRNet-M": plain(32, 4, 1, straight_activation="clip"),
    "SCSRN-like": free(
        "plain", 32, 4, free_branches="expanded", free_skip="concat_image", free_tail="pixels"
    ),
    "AntSR-like": plain(28, 3, straight_branches="expanded"),
}  # fmt: skip


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("network", zoo.ZOO, ids=lambda network: network.name)
def test_every_network_of_the_zoo_is_a_point_of_mobile(network: zoo.ZooNetwork, scale: int) -> None:
    values = POINTS[network.name]
    if "fold_clip" in values and values.get("fold_clip"):
        values = {k: v for k, v in values.items() if k != "straight_clip"}
    trial = FixedTrial(values)
    found = mobile.sample(trial, scale)
    assert found.hash == network.build(scale).hash
    assert found.deployed.hash == network.build(scale).deployed.hash


PUBLISHED = {
    "ABPN": 42_539, "XLSR": 21_947, "ETDS-T": 16_920, "ETDS-S": 46_790, "ETDS-M": 65_290,
    "ETDS-L": 159_770, "ECBSR-M4C16": 13_720, "ECBSR-M4C32": 45_850, "FSRCNN": 24_680,
    "ESPCN": 31_130, "NCNet": 52_279,
}  # fmt: skip


@pytest.mark.parametrize("network", zoo.ZOO, ids=lambda network: network.name)
def test_parameters_are_as_published_or_what_is_inferred_is_said(
    network: zoo.ZooNetwork,
) -> None:
    parameters = infer(network.build(3).deployed, InputSpec(360, 640)).parameters
    published = PUBLISHED.get(network.name)
    if published is None:
        assert network.inferred or "QuickSRNet" in network.name
    else:
        rounded = 5 if published % 10 == 0 else 0
        assert abs(parameters - published) <= rounded
    assert network.source


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("name", SPACES)
def test_whatever_is_drawn_can_be_built_quantized_and_timed(name: str, scale: int) -> None:
    space = load_space(name)
    hashes = set()
    for seed in range(60):
        candidate = space.draw(RandomTrial(seed), scale)
        for graph in (candidate.graph, candidate.deployed):
            quantization_groups(graph)
            assert graph.scale == scale
        assert lower(candidate.deployed, SPEC)
        assert Candidate.from_json(candidate.to_json()).hash == candidate.hash
        assert pickle.loads(pickle.dumps(candidate)) == candidate
        hashes.add(candidate.hash)
    assert len(hashes) > 50


def test_a_thousand_of_mobile_are_of_many_kinds() -> None:
    kinds = set()
    for seed in range(1000):
        trial = Recording(seed)
        mobile.sample(trial)
        kinds |= {value for name, value in trial.answers.items() if "_block_" in name}
    assert kinds == set(BlockKind)


def test_a_sampled_width_is_that_of_the_deployed_feature_map() -> None:
    values = {k: v for k, v in folded(32, 2).items() if k != "straight_clip"}
    deployed = mobile.sample(FixedTrial(values)).deployed
    convs = [node.operator for node in deployed.nodes if isinstance(node.operator, Conv)]
    assert [conv.filters for conv in convs] == [32, 32, 32, 28, 28]


class Recording(RandomTrial):
    """Keeps what it answered."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.answers: dict[str, Any] = {}

    def suggest_categorical(self, name: str, choices: Any) -> Any:
        self.answers[name] = super().suggest_categorical(name, choices)
        return self.answers[name]
