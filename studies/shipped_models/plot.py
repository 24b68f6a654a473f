"""Plots INT8 PSNR over time of the shipped models, published networks and authors' own files.

    python -m studies.shipped_models.plot [--to FILE]

The figures of shipped models come from their cards, those of published networks, trained by one
recipe, from ``studies/report_systems``, and those of files that their authors trained from
``public_files.csv``. A time that is recorded nowhere is predicted by the device's compiler or
regression.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import nas
from latency_models.device import load_device
from latency_models.source import PREDICTED
from nas.shipped.catalog import ShippedModel
from nas.system.files import read_rows, write_text
from search_spaces import zoo

from ..scatter import Point, Scatter, beside_each_other, linear, logarithmic

HERE = Path(__file__).parent
PICTURE = HERE.parents[1] / "docs" / "images" / "psnr_over_ms.svg"
DEVICES = ("ethos-u85-1024", "vs680")
TEST, SCALE = "Set5", 3
_OURS, _PUBLISHED, _AUTHORS = "#c2410c", "#1a6fb5", "#444"
_WIDTH, _HEIGHT = 720, 480
#: Models farther below the best, or slower, are not shown: they would crowd the others together.
_WITHIN_DB, _WITHIN_MS = 1.5, 120.0
#: Room right of the slowest model, as a factor of its time.
_ROOM_FOR_A_NAME = 1.5


@dataclass(frozen=True)
class PublicFile:
    """A file that its authors trained; ``network`` is the zoo network that gives its latency."""

    name: str
    scale: int
    set5_db: float
    set14_db: float
    source: str
    network: str = ""
    kb: float | None = None


@dataclass(frozen=True)
class Entry:
    """A model in the picture: INT8 PSNR on Set5, and the known times in ms by device.

    ``network`` is the zoo network whose latency is predicted for other devices; empty if none is.
    """

    name: str
    psnr_db: float
    color: str
    times: dict[str, float] = field(default_factory=dict)
    network: str = ""

    def ms(self, device: str) -> float | None:
        """Returns the time on ``device`` in ms; None if it is neither known nor predictable."""
        if device not in self.times and self.network:
            return nas.predict_latency(self.network, device, scale=SCALE).ms
        return self.times.get(device)


def entries_of(models: Sequence[ShippedModel]) -> Iterator[Entry]:
    """Yields the shipped models of the plotted scale that were evaluated on the test set."""
    for model in models:
        found = {test.name: test.quality.psnr_db for test in model.card.tests}
        if model.card.scale == SCALE and TEST in found:
            times = {time.device: time.latency.ms for time in model.card.times}
            yield Entry(model.name, found[TEST], _OURS, times)


def published() -> Iterator[Entry]:
    """Yields the networks of the zoo, as ``report_systems`` trained them."""
    results = json.loads((HERE.parent / "report_systems/results.json").read_text("utf-8"))
    for row in results["systems"]:
        if zoo.is_known(row["name"]):
            times = {results["device"]: row["device_ms"]}
            psnr_db = row[f"{TEST.lower()}_psnr_int8_db"]
            yield Entry(row["name"], psnr_db, _PUBLISHED, times, row["name"])


def public_files() -> Iterator[Entry]:
    """Yields the files of the plotted scale that their authors trained."""
    for file in read_rows(HERE / "public_files.csv", PublicFile):
        if file.scale == SCALE:
            yield Entry(file.name, file.set5_db, _AUTHORS, network=file.network)


def panel(entries: Sequence[Entry], device: str) -> Scatter:
    """Returns a plot of all models with a known time on ``device``."""
    timed = [(entry, ms) for entry in entries if (ms := entry.ms(device)) is not None]
    least_db = max(entry.psnr_db for entry, _ in timed) - _WITHIN_DB
    points = tuple(
        Point(ms, entry.psnr_db, entry.psnr_db, entry.psnr_db, entry.name, entry.color)
        for entry, ms in timed
        if entry.psnr_db >= least_db and ms <= _WITHIN_MS
    )
    times = [point.x for point in points]
    suffix = ", predicted" if load_device(device).settings.source == PREDICTED else ""
    return Scatter(
        points,
        logarithmic(f"ms on {device}{suffix}", [*times, max(times) * _ROOM_FOR_A_NAME]),
        linear(f"INT8 PSNR on {TEST} x{SCALE}, dB", [point.y for point in points]),
        _WIDTH,
        _HEIGHT,
        legend=(
            (_OURS, "come with nas"),
            (_PUBLISHED, "published networks, trained by one recipe"),
            (_AUTHORS, "files that their authors trained"),
        ),
    )


def picture(models: Sequence[ShippedModel]) -> str:
    """Returns an SVG with a panel for each device, side by side."""
    entries = [*entries_of(models), *published(), *public_files()]
    return beside_each_other([panel(entries, device) for device in DEVICES])


def main() -> None:
    """Writes the picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--to", type=Path, default=PICTURE)
    options = parser.parse_args()
    write_text(options.to, picture(nas.models()))
    print(options.to)


if __name__ == "__main__":
    main()
