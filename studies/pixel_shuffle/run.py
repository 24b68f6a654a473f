"""Measures pixels made row by row on Ethos-U, whose compiler lacks DEPTH_TO_SPACE.

    python -m studies.pixel_shuffle.run

Compiles every published network of the zoo that ends in depth_to_space, x3, with DEPTH_TO_SPACE
and row by row, for each compiled device of the package. Takes about five minutes on one core.
Writes ``results.csv`` and ``README.md``.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from statistics import fmean

from latency_models import Latency, LatencySource, Worker
from latency_models.device import Device, load_device, open_source
from nas.evaluation.evaluator import untrained_request
from search_spaces import Candidate, DepthToSpace, PixelShuffle, zoo

HERE = Path(__file__).parent
SCALE = 3
DEVICES = (
    "ethos-u85-1024", "ethos-u85-512", "ethos-u65-512", "ethos-u65-256", "ethos-u55-256",
    "ethos-u55-128",
)  # fmt: skip


@dataclass(frozen=True)
class Row:
    """Times of one network on one device in ms, in total and on the CPU, in both forms."""

    device: str
    network: str
    operator_ms: float
    operator_cpu_ms: float
    rows_ms: float
    rows_cpu_ms: float

    @property
    def ratio(self) -> float:
        """Time row by row divided by the time with DEPTH_TO_SPACE."""
        return self.rows_ms / self.operator_ms


def networks() -> Iterator[tuple[str, Candidate]]:
    """Yields the networks of the zoo with a depth_to_space."""
    for network in zoo.ZOO:
        candidate = network.build(SCALE)
        if any(isinstance(node.operator, DepthToSpace) for node in candidate.deployed.nodes):
            yield network.name, candidate


def compare(
    name: str, candidate: Candidate, device: Device, source: LatencySource, worker: Worker
) -> Row:
    """Times both forms of one network."""
    times: list[float] = []
    for shuffle in PixelShuffle:
        graph = candidate.shuffled(shuffle).deployed
        latency = source.measure(untrained_request(worker, graph, device.input, device.weights))
        times += [latency.ms, _on_cpu_ms(latency)]
    return Row(device.name, name, *(round(ms, 3) for ms in times))


def _on_cpu_ms(latency: Latency) -> float:
    return sum(operator.ms for operator in latency.operators if operator.engine == "cpu")


def main() -> None:
    """Compiles all networks, and writes the page."""
    rows: list[Row] = []
    with Worker() as worker:
        for device in map(load_device, DEVICES):
            source = open_source(device, worker)
            for name, candidate in networks():
                rows.append(compare(name, candidate, device, source, worker))
                print(rows[-1], flush=True)
    with (HERE / "results.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Row)], lineterminator="\n")
        writer.writeheader()
        writer.writerows(map(asdict, rows))
    (HERE / "README.md").write_text(page(rows), encoding="utf-8")


def page(rows: list[Row]) -> str:
    """Returns the text of README.md."""
    lines = [_HEAD]
    lines += ["| device | networks | time, row by row | the least | the most | ABPN, ms |"]
    lines += ["|---|---|---|---|---|---|"]
    for device in DEVICES:
        own = [row for row in rows if row.device == device]
        mean = math.exp(fmean(math.log(row.ratio) for row in own))
        least, most = (f(row.ratio for row in own) for f in (min, max))
        (abpn,) = (row for row in own if row.network == "ABPN")
        lines.append(
            f"| {device} | {len(own)} | {mean:.2f} | {least:.2f} | {most:.2f} "
            f"| {abpn.operator_ms:.1f} to {abpn.rows_ms:.1f} |"
        )
    return "\n".join([*lines, ""])


_HEAD = """# Pixels row by row, on NPUs without DEPTH_TO_SPACE

`python -m studies.pixel_shuffle.run` compiles all of it again; [results.csv](results.csv) has every
network, and how much of its time is the CPU's.

Arm's compiler for Ethos-U (Vela 5.2) leaves DEPTH_TO_SPACE to the CPU, which takes 6.2 ms for an
image of 1080 x 1920 at 2 GB/s, if the CPU is that fast: its time may as well be half or double.
The same image can be made by the NPU alone. Depth_to_space puts the channels of each pixel into a
block of rows and columns; those of one row of a block lie beside each other, so a convolution that
makes the channels of that row alone writes rows of the larger image as they are. One convolution
for each row of a block, joined along the columns: memory then holds the image, and a reshape only
names it. The compiler lets each convolution write where the concatenation would have, so both
cost nothing. No arithmetic is added, but 9 channels use as much of the NPU as 16.

Published networks of the zoo, x3, 360x640 to 1080x1920, row by row to DEPTH_TO_SPACE; means are
geometric. No network is left with an operator on the CPU that was there for its pixels.
"""

if __name__ == "__main__":
    main()
