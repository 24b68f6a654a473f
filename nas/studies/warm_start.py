"""What a study knows of another at its start: its trained networks, their PSNR and their choices.

Copied when the study is made, and kept with it: wherever it is gone on with, it knows the same,
though the other study may have grown, or be gone.
"""

from __future__ import annotations

import base64
import gzip
import json
import zlib
from dataclasses import dataclass
from typing import Self

from search_spaces import NasError

from ..quality_model.networks import KnownNetworks, ShortlyTrainedNetwork
from ..system.files import json_text
from .settings import Settings


@dataclass(frozen=True)
class WarmStart:
    """Trained networks of another study, its references among them."""

    study: str
    settings: Settings
    networks: tuple[ShortlyTrainedNetwork, ...]

    @property
    def bicubic_psnr_db(self) -> float:
        """Of bicubic enlargement of its validation images."""
        return self.settings.references.bicubic_psnr_db

    @property
    def known(self) -> KnownNetworks:
        """Its networks, without the study."""
        return KnownNetworks(self.networks, self.bicubic_psnr_db)

    def is_comparable(self, settings: Settings) -> bool:
        """Would a study of these settings train a network to the same PSNR?"""
        own = self.settings
        return (own.data_fingerprint, own.recipe) == (settings.data_fingerprint, settings.recipe)

    def to_text(self) -> str:
        """Compressed, in letters that any database takes."""
        rows = [
            {"study": self.study, "settings": self.settings.to_json()},
            *(network.to_json() for network in self.networks),
        ]
        lines = "\n".join(map(json_text, rows))
        return base64.b64encode(gzip.compress(lines.encode(), mtime=0)).decode()

    @classmethod
    def from_text(cls, text: str) -> Self:
        """What ``to_text`` wrote; NasError if it is damaged."""
        try:
            first, *others = gzip.decompress(base64.b64decode(text)).decode().splitlines()
            about = json.loads(first)
            networks = (ShortlyTrainedNetwork.from_json(json.loads(line)) for line in others)
            return cls(about["study"], Settings.from_json(about["settings"]), tuple(networks))
        except (OSError, EOFError, zlib.error, ValueError, KeyError, TypeError) as error:
            raise NasError(
                f"what the study knows of another cannot be read ({error!r}); it is damaged"
            ) from None
