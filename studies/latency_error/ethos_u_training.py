"""Trains the networks of operators that stand for the compiler of the Ethos-U devices.

    python -m studies.latency_error.ethos_u_training TABLES

learns from ``TABLES/DEVICE/train/measurements.csv`` and the tables that the devices ship, all
devices together, since their compilers cut alike: one output for each. Writes
``operators.npz`` beside each device's table. Some twenty minutes on two cores.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import tensorflow as tf

Floats = npt.NDArray[np.float32]

WIDTH, LAYERS, MEMBERS = 64, 3, 1
BATCH = 24
#: Epochs of each round, and the rate that falls from there to nothing.
ROUNDS = ((75, 3e-3), (80, 2.5e-3))
#: Networks that are kept from training, for the interval.
LEFT_OUT = 150
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
        kinds, _ = table.kinds
        shown, work = features(table, kinds), work_cycles(table).astype(np.float32)
        counted, cycles = (
            np.stack([column(name, rows) for name, rows in tables.items()], axis=1)
            for column in (_counted, _cycles)
        )
        ends = np.cumsum([len(row.operators) for row in first])
        columns = (np.split(c, ends[:-1]) for c in (shown, work, cycles * counted, counted))
        examples = tuple(Example(*parts) for parts in zip(*columns, strict=True))
        ms = {n: (min(r.ms for r in rows), max(r.ms for r in rows)) for n, rows in tables.items()}
        sizes = table.image_pixels
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


class Member:
    """One network being trained, by Adam with a rate that falls to nothing."""

    def __init__(self, inner: int, seed: int) -> None:
        self.random = np.random.default_rng(seed)
        self.weights: dict[str, tf.Variable] = {
            "first": self._drawn(2 / inner, inner, WIDTH),
            "last": self._drawn(2 / (WIDTH + inner), WIDTH + inner, WIDTH),
            "factor": self._drawn(0.0025, WIDTH, len(COMPILED)),
            "first_bias": tf.Variable(tf.zeros(WIDTH)),
            "last_bias": tf.Variable(tf.zeros(WIDTH)),
            "factor_bias": tf.Variable(tf.zeros(len(COMPILED))),
        }
        for layer in range(LAYERS):
            self.weights[f"middle_{layer}"] = self._drawn(1 / (3 * WIDTH), 3, WIDTH, WIDTH)
            self.weights[f"middle_bias_{layer}"] = tf.Variable(tf.zeros(WIDTH))
        self.optimizer = tf.keras.optimizers.Adam(global_clipnorm=1.0, beta_2=0.99)
        self.optimizer.build(list(self.weights.values()))

    def _drawn(self, variance: float, *shape: int) -> tf.Variable:
        return tf.Variable(self.random.normal(0, variance**0.5, shape).astype(np.float32))

    def factors(self, shown: tf.Tensor, there: tf.Tensor) -> tf.Tensor:
        """As ``OperatorNetwork`` computes them, of all devices."""
        own = self.weights
        hidden = tf.nn.relu(shown @ own["first"] + own["first_bias"]) * there
        for layer in range(LAYERS):
            around = tf.nn.conv1d(hidden, own[f"middle_{layer}"], 1, "SAME")
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
    members: Sequence[Member], device: int, examples: Examples, radius: float
) -> OperatorNetwork:
    """What ``members`` have learned of one device."""

    def stacked(name: str) -> Floats:
        return np.stack([member.weights[name].numpy() for member in members])

    def layers(name: str) -> Floats:
        return np.stack([stacked(f"{name}_{layer}") for layer in range(LAYERS)], axis=1)

    name = COMPILED[device]
    return OperatorNetwork(
        kinds=examples.kinds,
        first=stacked("first"), first_bias=stacked("first_bias"),
        middle=layers("middle"), middle_bias=layers("middle_bias"),
        last=stacked("last"), last_bias=stacked("last_bias"),
        factor=stacked("factor")[..., device], factor_bias=stacked("factor_bias")[..., device],
        cycle_ms=1e-3 / CLOCKS[name],
        pixels=examples.pixels, ms=examples.ms[name],
        networks=len(examples.rows) - LEFT_OUT,
        radius=radius,
    )  # fmt: skip


def radius_of(members: Sequence[Member], device: int, left_out: Sequence[Example]) -> float:
    """Half the interval that networks left out need."""
    off = []
    for example in left_out:
        shown, work, cycles, counted, there = padded([example])
        factors = np.mean([member.factors(shown, there).numpy() for member in members], axis=0)
        said = (factors * work * counted)[..., device].sum()
        off.append(abs(float(np.log(said / cycles[..., device].sum()))))
    return conformal(off)


def main() -> None:
    """All devices."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tables", type=Path)
    tables = parser.parse_args().tables
    assert all(load_device(name).settings.source == "vela" for name in COMPILED)
    rows: dict[str, Any] = {
        name: [*shipped_table(name), *read_table(tables / name / "train" / TABLE)]
        for name in COMPILED
    }
    examples = Examples.of(rows)
    order = np.random.default_rng(1).permutation(len(examples.rows))
    left_out, learned = (
        [examples.rows[place] for place in places]
        for places in (order[:LEFT_OUT], order[LEFT_OUT:])
    )
    members = [Member(learned[0].shown.shape[1], seed) for seed in range(MEMBERS)]
    for member in members:
        for epochs, rate in ROUNDS:
            member.train(learned, epochs, rate)
    for device, name in enumerate(COMPILED):
        network = network_of(members, device, examples, radius_of(members, device, left_out))
        network.write(DEVICES / f"{name}-regression" / NETWORK)


if __name__ == "__main__":
    main()
