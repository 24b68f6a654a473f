"""The package's table of networks with their INT8 PSNR after the short training of a search.

The networks are from the spaces ``mobile`` and ``anchor``. Most were drawn and trained by
studies/quality_model, some by searches. The table is a compressed file of JSON lines: the first
line has what all networks have in common, every other line is one network.
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

#: Lower limit of gains over bicubic enlargement in dB: networks below it are equally useless.
LOST_DB = -0.5
NETWORKS_FILE = Path(__file__).parent / "networks.jsonl.gz"


@dataclass(frozen=True)
class ShortlyTrainedNetwork:
    """A network, and its PSNR in dB, in INT8 and floating point, after a short training."""

    candidate: Candidate
    psnr_db: float
    psnr_float_db: float
    #: values by parameter with which its space builds the network; empty if they were not recorded
    choices: Mapping[str, Any] = field(default_factory=dict)
    #: proposed by a search from its results: too similar to others for a test of predictions
    related: bool = field(default=False, kw_only=True)

    @property
    def scale(self) -> int:
        """The factor by which the network enlarges images."""
        return self.candidate.graph.scale

    def to_json(self) -> dict[str, Any]:
        """Returns JSON values, which ``from_json`` reads."""
        return {
            "psnr_db": self.psnr_db,
            "psnr_float_db": self.psnr_float_db,
            **({"related": True} if self.related else {}),
            **({"choices": self.choices} if self.choices else {}),
            **self.candidate.to_json(),
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> ShortlyTrainedNetwork:
        """Reads the values that ``to_json`` wrote."""
        values = dict(data)
        psnr_db, psnr_float_db = values.pop("psnr_db"), values.pop("psnr_float_db")
        related, choices = values.pop("related", False), values.pop("choices", {})
        return cls(Candidate.from_json(values), psnr_db, psnr_float_db, choices, related=related)


@dataclass(frozen=True)
class KnownNetworks:
    """Networks of one scale, and the PSNR of bicubic enlargement on their validation images."""

    networks: tuple[ShortlyTrainedNetwork, ...]
    bicubic_psnr_db: float


@dataclass(frozen=True)
class KernelValues:
    """Hyperparameters of the Gaussian process over gains, which are normalized to those at x3.

    They maximize the likelihood of the table (studies/quality_model).
    """

    #: prior standard deviation of a gain
    amplitude_db: float
    #: standard deviation of the gain between trainings of one network
    noise_db: float
    #: length scales by feature, in standard deviations of the feature
    length_scales: dict[str, float]
    #: factor of the predicted standard deviations, so that intervals have their nominal coverage
    widening: float
    #: ratio of gains at a scale to those at x3; 1 for scales that are missing here
    relative_gains: dict[int, float] = field(default_factory=dict)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> KernelValues:
        """Reads the JSON values of ``asdict``, with scales as texts since JSON keys are texts."""
        by_scale = {int(scale): gain for scale, gain in data["relative_gains"].items()}
        return cls(**{**data, "relative_gains": by_scale})


@dataclass(frozen=True)
class NetworkTable:
    """Networks that were trained by the same recipe on the same images."""

    steps: int
    #: fingerprints and sizes of the training and validation images
    train: dict[str, str | int]
    valid: dict[str, str | int]
    #: PSNR of bicubic enlargement by scale
    bicubic_psnr_db: dict[int, float]
    versions: dict[str, str]
    kernel: KernelValues
    networks: tuple[ShortlyTrainedNetwork, ...]

    def at_scale(self, scale: int) -> KnownNetworks:
        """Returns the networks of ``scale``."""
        networks = tuple(network for network in self.networks if network.scale == scale)
        return KnownNetworks(networks, self.bicubic_psnr_db.get(scale, 0.0))

    def gain_db(self, network: ShortlyTrainedNetwork) -> float:
        """Returns the INT8 PSNR of the network minus that of bicubic enlargement, in dB."""
        return network.psnr_db - self.bicubic_psnr_db[network.scale]


@lru_cache
def shipped_networks() -> NetworkTable:
    """Returns the package's table; each process reads it once."""
    return read_networks(NETWORKS_FILE)


def read_networks(file: Path) -> NetworkTable:
    """Reads a table that ``write_networks`` wrote."""
    first, *others = gzip.decompress(file.read_bytes()).decode().splitlines()
    values = json.loads(first)
    values["bicubic_psnr_db"] = {int(k): v for k, v in values["bicubic_psnr_db"].items()}
    values["kernel"] = KernelValues.from_json(values["kernel"])
    networks = (ShortlyTrainedNetwork.from_json(json.loads(line)) for line in others)
    return NetworkTable(**values, networks=tuple(networks))


def write_networks(table: NetworkTable, file: Path) -> None:
    """Writes a table; equal tables result in equal bytes."""
    common = {key: value for key, value in vars(table).items() if key != "networks"}
    rows: Sequence[object] = [
        common | {"kernel": asdict(table.kernel)},
        *(network.to_json() for network in table.networks),
    ]
    text = "".join(f"{json_text(row)}\n" for row in rows)
    write_whole(file, gzip.compress(text.encode(), mtime=0))
