"""The networks that come with the package: each with its INT8 PSNR after a search's short training.

Drawn from ``mobile`` and ``anchor`` and trained by studies/quality_model, some of them by searches;
a compressed file of JSON lines. The first line holds what all have in common, every other line is a
network.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from search_spaces import Candidate

from ..system.files import json_text, write_whole

#: Farther below bicubic enlargement, all networks are as good as lost.
LOST_DB = -0.5
NETWORKS_FILE = Path(__file__).parent / "networks.jsonl.gz"


@dataclass(frozen=True)
class ShortlyTrainedNetwork:
    """A network, and the PSNR in dB of its INT8 file after a search's short training."""

    candidate: Candidate
    psnr_db: float
    psnr_float_db: float
    #: by which its space draws it, values by the parameter's name; empty if they were not kept
    choices: Mapping[str, Any] = field(default_factory=dict)
    #: made by a sampler of others that it had trained: too like them to be judged by them
    related: bool = field(default=False, kw_only=True)

    @property
    def scale(self) -> int:
        """How many times it enlarges."""
        return self.candidate.graph.scale

    def to_json(self) -> dict[str, Any]:
        """Plain values that ``from_json`` reads back."""
        return {
            "psnr_db": self.psnr_db,
            "psnr_float_db": self.psnr_float_db,
            **({"related": True} if self.related else {}),
            **({"choices": self.choices} if self.choices else {}),
            **self.candidate.to_json(),
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> ShortlyTrainedNetwork:
        """What ``to_json`` wrote."""
        values = dict(data)
        psnr_db, psnr_float_db = values.pop("psnr_db"), values.pop("psnr_float_db")
        related, choices = values.pop("related", False), values.pop("choices", {})
        return cls(Candidate.from_json(values), psnr_db, psnr_float_db, choices, related=related)


@dataclass(frozen=True)
class KnownNetworks:
    """Networks of one scale, and PSNR of bicubic enlargement on the images that they had."""

    networks: tuple[ShortlyTrainedNetwork, ...]
    bicubic_psnr_db: float


@dataclass(frozen=True)
class KernelValues:
    """Hyperparameters of the Gaussian process over gains, which are brought to the size of x3.

    Chosen by their likelihood on the table (studies/quality_model).
    """

    #: prior standard deviation of a gain
    amplitude_db: float
    #: standard deviation between trainings of one network
    noise_db: float
    #: by the feature's name, in standard deviations of the feature
    length_scales: dict[str, float]
    #: factor of the predicted standard deviations, so that intervals hold what they say
    widening: float
    #: gains at a scale relative to those at x3; 1 for a scale that is not named
    relative_gains: dict[int, float] = field(default_factory=dict)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> KernelValues:
        """What ``asdict`` became in JSON, whose keys are text."""
        by_scale = {int(scale): gain for scale, gain in data["relative_gains"].items()}
        return cls(**{**data, "relative_gains": by_scale})


@dataclass(frozen=True)
class NetworkTable:
    """Networks that were trained alike, on the same images."""

    steps: int
    #: fingerprints and sizes of the images
    train: dict[str, str | int]
    valid: dict[str, str | int]
    #: PSNR of bicubic enlargement by the scale
    bicubic_psnr_db: dict[int, float]
    versions: dict[str, str]
    kernel: KernelValues
    networks: tuple[ShortlyTrainedNetwork, ...]

    def at_scale(self, scale: int) -> KnownNetworks:
        """Those that enlarge so many times."""
        networks = tuple(network for network in self.networks if network.scale == scale)
        return KnownNetworks(networks, self.bicubic_psnr_db.get(scale, 0.0))

    def gain_db(self, network: ShortlyTrainedNetwork) -> float:
        """Over bicubic enlargement."""
        return network.psnr_db - self.bicubic_psnr_db[network.scale]


@lru_cache
def shipped_networks() -> NetworkTable:
    """The package's own table, read once a process."""
    return read_networks(NETWORKS_FILE)


def read_networks(file: Path) -> NetworkTable:
    """What ``write_networks`` wrote."""
    first, *others = gzip.decompress(file.read_bytes()).decode().splitlines()
    values = json.loads(first)
    values["bicubic_psnr_db"] = {int(k): v for k, v in values["bicubic_psnr_db"].items()}
    values["kernel"] = KernelValues.from_json(values["kernel"])
    networks = (ShortlyTrainedNetwork.from_json(json.loads(line)) for line in others)
    return NetworkTable(**values, networks=tuple(networks))


def write_networks(table: NetworkTable, file: Path) -> None:
    """The same bytes for the same table."""
    common = {key: value for key, value in vars(table).items() if key != "networks"}
    rows: Sequence[object] = [
        common | {"kernel": asdict(table.kernel)},
        *(network.to_json() for network in table.networks),
    ]
    text = "".join(f"{json_text(row)}\n" for row in rows)
    write_whole(file, gzip.compress(text.encode(), mtime=0))
