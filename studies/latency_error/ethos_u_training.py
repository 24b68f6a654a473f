"""Trains the networks of operators that stand for the compiler of the Ethos-U devices.

    python -m studies.latency_error.ethos_u_training TABLES

learns from ``TABLES/DEVICE/train/measurements.csv`` and the tables that the devices ship: from
random weights on all devices together, since their compilers schedule alike, with one output for
each, then on each device by itself. The first ``LEFT_OUT`` networks are never learned from; the
interval comes from their errors. Writes ``operators.npz`` beside each device's table.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from latency_models.device import load_device
from latency_models.sources.regression import Measurement
from latency_models.sources.regression.model import conformal
from latency_models.sources.regression.operator_features import features
from latency_models.sources.regression.operator_network import OperatorNetwork, work_cycles
from latency_models.sources.regression.operator_table import OperatorTable
from latency_models.sources.regression.settings import TABLE
from latency_models.sources.regression.source import read_table

from .ethos_u import COMPILED, NETWORK, shipped_table
from .published import DEVICES
from .tables import USUAL

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import tensorflow as tf

Floats = npt.NDArray[np.float32]

#: How far each layer sees.
STEPS = (1, 1, 1, 2, 4)
WIDTH = 64
BATCH = 16
#: Of all devices together, then of each by itself; the rate that falls from there to nothing.
EPOCHS, RATE = 60, 4e-3
OWN_EPOCHS, OWN_RATE = 20, 1e-3
#: Of the image of half of the networks.
USUAL_PIXELS = USUAL.height * USUAL.width
#: Networks that are kept from training, for the interval.
LEFT_OUT = 400
#: MHz of each compiled device.
CLOCKS = {
    "ethos-u55-256": 500,
    "ethos-u65-512": 1000,
    "ethos-u85-512": 1000,
    "ethos-u85-1024": 1000,
}


@dataclass(frozen=True)
class Example:
    """One network: what is shown of its operators, and their cycles on every device.

    ``counted`` is 0 where a device leaves an operator to the CPU.
    """

    shown: Floats
    work: Floats
    cycles: Floats
    counted: Floats
    #: of the image
    pixels: float

    def on(self, device: int) -> Example:
        """The same network on one device alone."""
        own = slice(device, device + 1)
        return replace(self, cycles=self.cycles[:, own], counted=self.counted[:, own])


@dataclass(frozen=True)
class Examples:
    """All of them, and what they hold."""

    kinds: tuple[str, ...]
    rows: tuple[Example, ...]
    pixels: tuple[float, float]
    ms: dict[str, tuple[float, float]]

    @classmethod
    def of(cls, tables: dict[str, Sequence[Measurement]]) -> Examples:
        """Of the same networks in every device's table."""
        first = tables[COMPILED[0]]
        assert all([r.name for r in rows] == [r.name for r in first] for rows in tables.values())
        table = OperatorTable.of([row.operators for row in first])
        kinds = table.kinds[0]
        shown, work = features(table, kinds), work_cycles(table).astype(np.float32)
        counted, cycles = (
            np.stack([column(name, rows) for name, rows in tables.items()], axis=1)
            for column in (_counted, _cycles)
        )
        ends = np.cumsum([len(row.operators) for row in first])
        columns = (np.split(c, ends[:-1]) for c in (shown, work, cycles * counted, counted))
        sizes = table.image_pixels
        examples = tuple(Example(*parts) for parts in zip(*columns, sizes.tolist(), strict=True))
        ms = {n: (min(r.ms for r in rows), max(r.ms for r in rows)) for n, rows in tables.items()}
        return cls(kinds, examples, (float(sizes.min()), float(sizes.max())), ms)


def _counted(_: str, rows: Sequence[Measurement]) -> Floats:
    return np.array([e != "cpu" for row in rows for e in row.engines], np.float32)


def _cycles(name: str, rows: Sequence[Measurement]) -> Floats:
    return np.array(
        [1e3 * CLOCKS[name] * ms for row in rows for ms in row.operators_ms], np.float32
    )


def padded(examples: Sequence[Example]) -> tuple[Floats, ...]:
    """As one array a field, zeros behind the ends; the last says where operators are."""
    longest = -(-max(len(example.work) for example in examples) // 8) * 8

    def stacked(values: Sequence[Floats]) -> Floats:
        return np.stack([np.pad(v, ((0, longest - len(v)), (0, 0))) for v in values])

    return (
        stacked([e.shown for e in examples]),
        stacked([e.work[:, None] for e in examples]),
        stacked([e.cycles for e in examples]),
        stacked([e.counted for e in examples]),
        stacked([np.ones_like(e.work)[:, None] for e in examples]),
    )


def drawn_weights(features: int, devices: int, random: np.random.Generator) -> dict[str, Floats]:
    """Of one network for ``devices``, before any training; ``factor`` and ``factor_bias`` end with
    the devices. What a layer adds to the one before is small at first.
    """

    def drawn(*shape: int, scale: float = 1.0) -> Floats:
        fan_in = int(np.prod(shape[:-1]))
        return (scale * random.normal(0, np.sqrt(2 / fan_in), shape)).astype(np.float32)

    weights = {"first": drawn(features, WIDTH), "last": drawn(WIDTH + features, WIDTH)}
    for layer in range(len(STEPS)):
        weights[f"middle_{layer}"] = drawn(3, WIDTH, WIDTH, scale=0.3)
        weights[f"middle_bias_{layer}"] = np.zeros(WIDTH, np.float32)
    biases = {name: np.zeros(WIDTH, np.float32) for name in ("first_bias", "last_bias")}
    ends = {"factor": drawn(WIDTH, devices), "factor_bias": np.zeros(devices, np.float32)}
    return weights | biases | ends


class Member:
    """One network being trained, by Adam with a rate that falls to nothing."""

    def __init__(self, weights: dict[str, Floats]) -> None:
        self.random = np.random.default_rng(0)
        self.weights = {name: tf.Variable(array) for name, array in weights.items()}
        self.optimizer = tf.keras.optimizers.AdamW(
            weight_decay=0.02, global_clipnorm=1.0, beta_2=0.99
        )
        self.optimizer.build(list(self.weights.values()))

    def on(self, device: int) -> Member:
        """For one device alone, from here on."""
        own = {name: variable.numpy() for name, variable in self.weights.items()}
        ends = {name: own[name][..., device : device + 1] for name in ("factor", "factor_bias")}
        return Member(own | ends)

    def factors(self, shown: tf.Tensor, there: tf.Tensor) -> tf.Tensor:
        """As ``OperatorNetwork`` computes them, of all devices."""
        own = self.weights
        hidden = tf.nn.relu(shown @ own["first"] + own["first_bias"]) * there
        for layer in range(len(STEPS)):
            around = tf.nn.conv1d(hidden, own[f"middle_{layer}"], 1, "SAME", dilations=STEPS[layer])
            hidden = (hidden + tf.nn.relu(around + own[f"middle_bias_{layer}"])) * there
        last = tf.nn.relu(tf.concat([hidden, shown], -1) @ own["last"] + own["last_bias"])
        return tf.nn.softplus(last @ own["factor"] + own["factor_bias"])

    @tf.function(reduce_retracing=True)  # type: ignore[untyped-decorator]
    def step(
        self,
        shown: tf.Tensor,
        work: tf.Tensor,
        cycles: tf.Tensor,
        counted: tf.Tensor,
        there: tf.Tensor,
    ) -> tf.Tensor:
        """One; errors of operators, as parts of their network, and of the network count alike."""
        variables = list(self.weights.values())
        with tf.GradientTape() as tape:
            said = self.factors(shown, there) * work * counted
            total = tf.reduce_sum(cycles, 1) + 1
            of_operators = tf.reduce_sum(tf.abs(said - cycles), 1) / total
            of_network = tf.abs(tf.math.log((tf.reduce_sum(said, 1) + 1) / total))
            loss = tf.reduce_mean(of_operators) + tf.reduce_mean(of_network)
        self.optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        return tf.reduce_mean(of_network)

    def train(self, examples: Sequence[Example], epochs: int, rate: float) -> None:
        """One round."""
        steps, done = epochs * -(-len(examples) // BATCH), 0
        for epoch in range(epochs):
            errors = []
            for batch in self._batches(examples):
                done += 1
                falling = 0.5 * (1 + np.cos(np.pi * min(done / steps, 1)))
                self.optimizer.learning_rate.assign(rate * min(1, done / 100) * falling)
                errors.append(self.step(*map(tf.constant, padded(batch))))
            print(f"epoch {epoch + 1} of {epochs}: {np.mean(errors):.4f}", flush=True)

    def _batches(self, examples: Sequence[Example]) -> list[list[Example]]:
        """Of networks of about one length, in any order."""
        order = [examples[place] for place in self.random.permutation(len(examples))]
        batches: list[list[Example]] = []
        for begin in range(0, len(order), 8 * BATCH):
            alike = sorted(order[begin : begin + 8 * BATCH], key=lambda e: len(e.work))
            batches += [alike[at : at + BATCH] for at in range(0, len(alike), BATCH)]
        self.random.shuffle(batches)
        return batches


def network_of(
    member: Member, name: str, examples: Examples, radius: float, usual_radius: float
) -> OperatorNetwork:
    """What ``member`` has learned of the device ``name`` alone."""
    weights = {name: variable.numpy()[None] for name, variable in member.weights.items()}

    def layers(name: str) -> Floats:
        return np.stack([weights[f"{name}_{layer}"] for layer in range(len(STEPS))], axis=1)

    return OperatorNetwork(
        kinds=examples.kinds,
        first=weights["first"], first_bias=weights["first_bias"],
        middle=layers("middle"), middle_bias=layers("middle_bias"), steps=STEPS,
        last=weights["last"], last_bias=weights["last_bias"],
        factor=weights["factor"][..., 0], factor_bias=weights["factor_bias"][..., 0],
        cycle_ms=1e-3 / CLOCKS[name],
        pixels=examples.pixels, ms=examples.ms[name],
        networks=len(examples.rows) - LEFT_OUT,
        radius=radius, usual_pixels=USUAL_PIXELS, usual_radius=usual_radius,
    )  # fmt: skip


def errors(member: Member, left_out: Sequence[Example]) -> Floats:
    """(networks, devices): logarithms of what is said to what is so."""
    off = []
    for example in left_out:
        shown, work, cycles, counted, there = padded([example])
        said = (member.factors(shown, there).numpy() * work * counted).sum((0, 1))
        off.append(np.log(said / cycles.sum((0, 1))))
    return np.stack(off)


def main() -> None:
    """All devices."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tables", type=Path)
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--own-epochs", type=int, default=OWN_EPOCHS)
    options = parser.parse_args()
    assert all(load_device(name).settings.source == "vela" for name in COMPILED)
    rows: dict[str, Sequence[Measurement]] = {}
    for name in COMPILED:
        compiled = read_table(options.tables / name / "train" / TABLE)
        known = {row.name for row in compiled}
        rows[name] = [*compiled, *(row for row in shipped_table(name) if row.name not in known)]
    examples = Examples.of(rows)
    left_out, learned = examples.rows[:LEFT_OUT], examples.rows[LEFT_OUT:]
    features = learned[0].shown.shape[1]
    shared = Member(drawn_weights(features, len(COMPILED), np.random.default_rng(0)))
    shared.train(learned, options.epochs, RATE)
    usual = np.array([example.pixels == USUAL_PIXELS for example in left_out])
    for device, name in enumerate(COMPILED):
        member = shared.on(device)
        member.train([example.on(device) for example in learned], options.own_epochs, OWN_RATE)
        distances = np.abs(errors(member, [example.on(device) for example in left_out])[:, 0])
        radius, usual_radius = (conformal(distances[w].tolist()) for w in (~usual, usual))
        print(
            f"{name}: {distances.mean():.4f}, nine of ten within {usual_radius:.3f}, {radius:.3f}"
        )
        network = network_of(member, name, examples, radius, usual_radius)
        network.write(DEVICES / f"{name}-regression" / NETWORK)


if __name__ == "__main__":
    main()
