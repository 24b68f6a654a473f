"""Trained networks of another study with which a study starts: their choices and their PSNR.

They are copied when the study is created and stored in its database. So a continued study has the
same data on every machine, even if the other study has grown or been deleted.
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
    """The trained networks of another study, including its reference networks."""

    study: str
    settings: Settings
    networks: tuple[ShortlyTrainedNetwork, ...]

    @property
    def bicubic_psnr_db(self) -> float:
        """PSNR in dB of bicubic enlargement on the other study's validation images."""
        return self.settings.references.bicubic_psnr_db

    @property
    def known(self) -> KnownNetworks:
        """The networks in the form that the quality model takes."""
        return KnownNetworks(self.networks, self.bicubic_psnr_db)

    def is_comparable(self, settings: Settings) -> bool:
        """Returns whether a study with ``settings`` would train a network to the same PSNR.

        That is so if its images and its training recipe are the same.
        """
        own = self.settings
        return (own.data_fingerprint, own.recipe) == (settings.data_fingerprint, settings.recipe)

    def to_text(self) -> str:
        """Returns the data as compressed, base64-encoded text that any database can store."""
        rows = [
            {"study": self.study, "settings": self.settings.to_json()},
            *(network.to_json() for network in self.networks),
        ]
        lines = "\n".join(map(json_text, rows))
        return base64.b64encode(gzip.compress(lines.encode(), mtime=0)).decode()

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Reads the text that ``to_text`` returned; raises NasError if it is damaged."""
        try:
            first, *others = gzip.decompress(base64.b64decode(text)).decode().splitlines()
            about = json.loads(first)
            networks = (ShortlyTrainedNetwork.from_json(json.loads(line)) for line in others)
            return cls(about["study"], Settings.from_json(about["settings"]), tuple(networks))
        except (OSError, EOFError, zlib.error, ValueError, KeyError, TypeError) as error:
            raise NasError(
                f"the study's copy of another study cannot be read ({error!r}); it is damaged"
            ) from None
