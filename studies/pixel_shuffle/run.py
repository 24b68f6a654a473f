"""Times pixels produced row by row on Ethos-U, whose compiler leaves DEPTH_TO_SPACE to the CPU.

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
    lines += [
        "| device | networks | mean time ratio | smallest ratio | largest ratio "
        "| ABPN with DEPTH_TO_SPACE, ms | ABPN row by row, ms |"
    ]
    lines += ["|---|---|---|---|---|---|---|"]
    for device in DEVICES:
        own = [row for row in rows if row.device == device]
        mean = math.exp(fmean(math.log(row.ratio) for row in own))
        least, most = (f(row.ratio for row in own) for f in (min, max))
        (abpn,) = (row for row in own if row.network == "ABPN")
        lines.append(
            f"| {device} | {len(own)} | {mean:.2f} | {least:.2f} | {most:.2f} "
            f"| {abpn.operator_ms:.1f} | {abpn.rows_ms:.1f} |"
        )
    return "\n".join([*lines, ""])


_HEAD = """# Pixels produced row by row, on NPUs without DEPTH_TO_SPACE

`python -m studies.pixel_shuffle.run` compiles all networks again; [results.csv](results.csv) lists
every network, with the part of its time that the CPU takes.

Arm's compiler for Ethos-U (Vela 5.2) leaves DEPTH_TO_SPACE to the CPU. The CPU then takes 6.2 ms
for an image of 1080 x 1920 pixels if it moves 2 GB/s; this speed is an assumption, and the true
time may be half or double. The NPU can produce the same image by itself. Depth_to_space moves the
channels of each pixel to a block of rows and columns. The channels for one row of the block are
adjacent, so a convolution that computes only these channels writes rows of the larger image
directly. One such convolution is used for each row of the block, and their results are concatenated
along the columns. The memory then contains the image, and a reshape only changes its declared
shape. Concatenation and reshape cost nothing, because the compiler lets each convolution write its
result in place. No arithmetic is added, but 9 channels occupy the NPU as much as 16.

The table compares published networks of the zoo, x3, from 360x640 to 1080x1920. Ratios are the time
with pixels produced row by row divided by the time with DEPTH_TO_SPACE; their mean is geometric.
With pixels produced row by row, no network has an operator of the pixel shuffle left on the CPU.
"""

if __name__ == "__main__":
    main()
