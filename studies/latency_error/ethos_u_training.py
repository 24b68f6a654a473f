"""Trains the neural networks that predict operator times of the Ethos-U compiler.

    python -m studies.latency_error.ethos_u_training TABLES

trains on ``TABLES/DEVICE/train/measurements.csv`` and on the tables that the devices ship. It
starts from random weights on all devices together, with one output per device, since their
compilers schedule alike; then it trains on each device by itself. The first ``LEFT_OUT`` networks
are never trained on; their errors give the interval. Writes ``operators.npz`` beside each device's
table.
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

#: Dilation of each convolution over the sequence of operators.
STEPS = (1, 1, 1, 2, 4)
WIDTH = 64
BATCH = 16
#: Epochs and peak learning rate (it decays to 0): on all devices together, then on each by itself.
EPOCHS, RATE = 60, 4e-3
OWN_EPOCHS, OWN_RATE = 20, 1e-3
#: Number of image pixels of half of the networks.
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
    """One network: features (operators, features) and cycles (operators, devices).

    ``work`` (operators,) are the cycles of pure work, which predicted factors multiply. ``counted``
    (operators, devices) is 0 where a device leaves an operator to the CPU, else 1.
    """

    shown: Floats
    work: Floats
    cycles: Floats
    counted: Floats
    #: Number of pixels of the image.
    pixels: float

    def on(self, device: int) -> Example:
        """The same network on one device alone."""
        own = slice(device, device + 1)
        return replace(self, cycles=self.cycles[:, own], counted=self.counted[:, own])


@dataclass(frozen=True)
class Examples:
    """All networks, with their operator kinds and their ranges of image pixels and times in ms."""

    kinds: tuple[str, ...]
    rows: tuple[Example, ...]
    pixels: tuple[float, float]
    ms: dict[str, tuple[float, float]]

    @classmethod
    def of(cls, tables: dict[str, Sequence[Measurement]]) -> Examples:
        """Reads the examples from the devices' tables, which must hold the same networks."""
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
    """Returns one zero-padded array per field, and a mask that is 1 where an operator is."""
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


def initial_weights(features: int, devices: int, random: np.random.Generator) -> dict[str, Floats]:
    """Returns random initial weights of one network for ``devices``.

    The last axis of ``factor`` and ``factor_bias`` is the device. Residual layers start small.
    """

    def drawn(*shape: int, scale: float = 1.0) -> Floats:
        fan_in = int(np.prod(shape[:-1]))
        return (scale * random.normal(0, np.sqrt(2 / fan_in), shape)).astype(np.float32)

    weights = {"first": drawn(features, WIDTH), "last": drawn(WIDTH + features, WIDTH)}
    for layer in range(len(STEPS)):
        weights[f"middle_{layer}"] = drawn(3, WIDTH, WIDTH, scale=0.3)
        weights[f"middle_bias_{layer}"] = np.zeros(WIDTH, np.float32)
    biases = {name: np.zeros(WIDTH, np.float32) for name in ("first_bias", "last_bias")}
    output_weights = {"factor": drawn(WIDTH, devices), "factor_bias": np.zeros(devices, np.float32)}
    return weights | biases | output_weights


class TrainedNetwork:
    """A network being trained by Adam with a learning rate that decays to 0."""

    def __init__(self, weights: dict[str, Floats]) -> None:
        self.random = np.random.default_rng(0)
        self.weights = {name: tf.Variable(array) for name, array in weights.items()}
        self.optimizer = tf.keras.optimizers.AdamW(
            weight_decay=0.02, global_clipnorm=1.0, beta_2=0.99
        )
        self.optimizer.build(list(self.weights.values()))

    def on(self, device: int) -> TrainedNetwork:
        """Returns a copy with the output of one device, to train on that device alone."""
        own = {name: variable.numpy() for name, variable in self.weights.items()}
        output_weights = {
            name: own[name][..., device : device + 1] for name in ("factor", "factor_bias")
        }
        return TrainedNetwork(own | output_weights)

    def factors(self, shown: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
        """Returns the factors of all devices, computed as in ``OperatorNetwork``."""
        own = self.weights
        hidden = tf.nn.relu(shown @ own["first"] + own["first_bias"]) * mask
        for layer in range(len(STEPS)):
            around = tf.nn.conv1d(hidden, own[f"middle_{layer}"], 1, "SAME", dilations=STEPS[layer])
            hidden = (hidden + tf.nn.relu(around + own[f"middle_bias_{layer}"])) * mask
        last = tf.nn.relu(tf.concat([hidden, shown], -1) @ own["last"] + own["last_bias"])
        return tf.nn.softplus(last @ own["factor"] + own["factor_bias"])

    @tf.function(reduce_retracing=True)  # type: ignore[untyped-decorator]
    def step(
        self,
        shown: tf.Tensor,
        work: tf.Tensor,
        cycles: tf.Tensor,
        counted: tf.Tensor,
        mask: tf.Tensor,
    ) -> tf.Tensor:
        """Trains on one batch; returns the mean absolute log error of the networks' cycles.

        The loss weighs this error and the mean error of operators, relative to the cycles of their
        network, equally.
        """
        variables = list(self.weights.values())
        with tf.GradientTape() as tape:
            predicted = self.factors(shown, mask) * work * counted
            total = tf.reduce_sum(cycles, 1) + 1
            operator_error = tf.reduce_sum(tf.abs(predicted - cycles), 1) / total
            network_error = tf.abs(tf.math.log((tf.reduce_sum(predicted, 1) + 1) / total))
            loss = tf.reduce_mean(operator_error) + tf.reduce_mean(network_error)
        self.optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        return tf.reduce_mean(network_error)

    def train(self, examples: Sequence[Example], epochs: int, rate: float) -> None:
        """Trains for ``epochs`` with a peak learning rate of ``rate``."""
        steps, done = epochs * -(-len(examples) // BATCH), 0
        for epoch in range(epochs):
            errors = []
            for batch in self._batches(examples):
                done += 1
                decay = 0.5 * (1 + np.cos(np.pi * min(done / steps, 1)))
                self.optimizer.learning_rate.assign(rate * min(1, done / 100) * decay)
                errors.append(self.step(*map(tf.constant, padded(batch))))
            print(f"epoch {epoch + 1} of {epochs}: {np.mean(errors):.4f}", flush=True)

    def _batches(self, examples: Sequence[Example]) -> list[list[Example]]:
        """Returns batches of networks of similar length, in random order."""
        order = [examples[place] for place in self.random.permutation(len(examples))]
        batches: list[list[Example]] = []
        for begin in range(0, len(order), 8 * BATCH):
            similar = sorted(order[begin : begin + 8 * BATCH], key=lambda e: len(e.work))
            batches += [similar[at : at + BATCH] for at in range(0, len(similar), BATCH)]
        self.random.shuffle(batches)
        return batches


def network_of(
    network: TrainedNetwork, name: str, examples: Examples, radius: float, usual_radius: float
) -> OperatorNetwork:
    """Returns the trained weights for the device ``name`` as a predictor."""
    weights = {name: variable.numpy()[None] for name, variable in network.weights.items()}

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


def errors(network: TrainedNetwork, left_out: Sequence[Example]) -> Floats:
    """Returns (networks, devices): logarithms of predicted to true cycles."""
    log_ratios = []
    for example in left_out:
        shown, work, cycles, counted, mask = padded([example])
        predicted = (network.factors(shown, mask).numpy() * work * counted).sum((0, 1))
        log_ratios.append(np.log(predicted / cycles.sum((0, 1))))
    return np.stack(log_ratios)


def main() -> None:
    """Trains and writes the networks of all devices."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tables", type=Path, help="folder written by tables.py")
    parser.add_argument("--epochs", type=int, default=EPOCHS, help="on all devices together")
    parser.add_argument("--own-epochs", type=int, default=OWN_EPOCHS, help="on each device")
    options = parser.parse_args()
    assert all(load_device(name).settings.source == "vela" for name in COMPILED)
    rows: dict[str, Sequence[Measurement]] = {}
    for name in COMPILED:
        compiled = read_table(options.tables / name / "train" / TABLE)
        known = {row.name for row in compiled}
        rows[name] = [*compiled, *(row for row in shipped_table(name) if row.name not in known)]
    examples = Examples.of(rows)
    left_out, training_set = examples.rows[:LEFT_OUT], examples.rows[LEFT_OUT:]
    features = training_set[0].shown.shape[1]
    shared = TrainedNetwork(initial_weights(features, len(COMPILED), np.random.default_rng(0)))
    shared.train(training_set, options.epochs, RATE)
    usual = np.array([example.pixels == USUAL_PIXELS for example in left_out])
    for device, name in enumerate(COMPILED):
        member = shared.on(device)
        member.train([example.on(device) for example in training_set], options.own_epochs, OWN_RATE)
        distances = np.abs(errors(member, [example.on(device) for example in left_out])[:, 0])
        radius, usual_radius = (conformal(distances[w].tolist()) for w in (~usual, usual))
        print(
            f"{name}: {distances.mean():.4f}, nine of ten within {usual_radius:.3f}, {radius:.3f}"
        )
        network = network_of(member, name, examples, radius, usual_radius)
        network.write(DEVICES / f"{name}-regression" / NETWORK)


if __name__ == "__main__":
    main()
