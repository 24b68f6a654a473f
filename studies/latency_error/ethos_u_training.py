"""Trains the neural networks that predict operator times of the Ethos-U compiler.

    python -m studies.latency_error.ethos_u_training TABLES [--continue] [--device NAME]...

trains on the tables of networks to learn from, which ``tables`` has compiled, and on those that the
devices ship. It starts from random weights on all devices together, with one output per device,
since their compilers schedule alike; then it trains on each device by itself. ``--continue`` trains
each device by itself alone, starting from the weights that it ships. The first networks of each
table are never trained on; their errors give the intervals. Writes ``operators.npz`` beside each
device's table.
"""

from __future__ import annotations

import argparse
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from latency_models.sources.regression.operator_network import OperatorNetwork

from .ethos_u import COMPILED, NETWORK
from .ethos_u_examples import CLOCKS, LEFT_OUT, Example, Examples, padded
from .expected_error import ExpectedError, PredictedNetwork, fit_expected_error
from .published import DEVICES
from .tables import PARTS

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
#: Operators of a variant that fewer networks hold count as unseen.
FEWEST = 5
#: Half of the interval, in logarithms, of a network of operators of unseen variants alone. Networks
#: trained on ``mobile`` predicted those of ``structures`` that take most of their time in operators
#: of unseen variants: nine of ten were within 0.82 on the U55-256 and within 0.88 on the U85-1024.
UNSEEN_RADIUS = 0.85
#: Weights of the output; their last axis is the device.
_OUTPUT = ("factor", "factor_bias")


def initial_weights(features: int, devices: int, random: np.random.Generator) -> dict[str, Floats]:
    """Returns random initial weights of one network for ``devices``.

    The last axis of the output's weights is the device. Residual layers start small.
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


def continued_weights(network: OperatorNetwork, kinds: Sequence[str]) -> dict[str, Floats]:
    """Returns the weights of a network for one device; those of new ``kinds`` start at 0."""
    features = len(kinds) + network.first.shape[1] - len(network.kinds)
    places = [*map(kinds.index, network.kinds), *range(len(kinds), features)]

    def placed(weights: Floats) -> Floats:
        all_weights = np.zeros((features, WIDTH), np.float32)
        all_weights[places] = weights
        return all_weights

    last = network.last[0]
    weights = {
        "first": placed(network.first[0]),
        "first_bias": network.first_bias[0],
        "last": np.concatenate([last[:WIDTH], placed(last[WIDTH:])]),
        "last_bias": network.last_bias[0],
    }
    for layer in range(len(STEPS)):
        weights[f"middle_{layer}"] = network.middle[0, layer]
        weights[f"middle_bias_{layer}"] = network.middle_bias[0, layer]
    return weights | {name: getattr(network, name)[0][..., None] for name in _OUTPUT}


def convolved(values: tf.Tensor, weights: tf.Tensor, step: int) -> tf.Tensor:
    """Convolves (networks, operators, width) along operators with three taps, ``step`` apart.

    TensorFlow has no gradient of a dilated convolution for every CPU.
    """
    around, count = tf.pad(values, [[0, 0], [step, step], [0, 0]]), tf.shape(values)[1]
    taps = [around[:, tap * step : tap * step + count] @ weights[tap] for tap in range(3)]
    return tf.add_n(taps)


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
        output_weights = {name: own[name][..., device : device + 1] for name in _OUTPUT}
        return TrainedNetwork(own | output_weights)

    def outputs(self, shown: tf.Tensor, mask: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the factors of all devices, as ``OperatorNetwork`` does, and the last layer."""
        own = self.weights
        hidden = tf.nn.relu(shown @ own["first"] + own["first_bias"]) * mask
        for layer in range(len(STEPS)):
            around = convolved(hidden, own[f"middle_{layer}"], STEPS[layer])
            hidden = (hidden + tf.nn.relu(around + own[f"middle_bias_{layer}"])) * mask
        last = tf.nn.relu(tf.concat([hidden, shown], -1) @ own["last"] + own["last_bias"])
        return tf.nn.softplus(last @ own["factor"] + own["factor_bias"]), last

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
            predicted = self.outputs(shown, mask)[0] * mask * work * counted
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


@dataclass(frozen=True)
class Beginning:
    """A network for one device, and what it has been trained on before: networks and times."""

    network: TrainedNetwork
    networks: int
    ms: tuple[float, ...] = ()


def network_of(
    begun: Beginning, name: str, examples: Examples, expected: ExpectedError, radius: float
) -> OperatorNetwork:
    """Returns the trained weights for the device ``name`` as a predictor."""
    trained, all_ms = begun.network, (*begun.ms, *examples.ms[name])
    weights = {name: variable.numpy()[None] for name, variable in trained.weights.items()}

    def layers(name: str) -> Floats:
        return np.stack([weights[f"{name}_{layer}"] for layer in range(len(STEPS))], axis=1)

    counts = Counter(code for one in examples.trained for code in set(one.variants.tolist()))
    return OperatorNetwork(
        kinds=examples.kinds,
        first=weights["first"], first_bias=weights["first_bias"],
        middle=layers("middle"), middle_bias=layers("middle_bias"), steps=STEPS,
        last=weights["last"], last_bias=weights["last_bias"],
        factor=weights["factor"][..., 0], factor_bias=weights["factor_bias"][..., 0],
        error=expected.coefficients[None].astype(np.float32),
        error_bias=np.array([expected.constant], np.float32),
        variants=np.array(sorted(code for code, count in counts.items() if count >= FEWEST)),
        unseen_error=UNSEEN_RADIUS / radius,
        cycle_ms=1e-3 / CLOCKS[name],
        pixels=examples.pixels, ms=(min(all_ms), max(all_ms)), networks=begun.networks,
        radius=radius,
    )  # fmt: skip


def predicted_network(trained: TrainedNetwork, example: Example) -> PredictedNetwork:
    """Predicts a network that was not trained on, on one device."""
    shown, work, cycles, counted, mask = padded([example])
    factors, hidden = trained.outputs(shown, mask)
    predicted = (factors.numpy() * work * counted)[0, :, 0].astype(float)
    kept = mask[0, :, 0] > 0
    weights = np.maximum(predicted[kept], 1e-3)
    error = abs(np.log(predicted.sum() / cycles.sum()))
    return PredictedNetwork(hidden.numpy()[0, kept].astype(float), weights / weights.sum(), error)


def begun_together(examples: Examples, epochs: int) -> Iterator[Beginning]:
    """Yields for each device a network trained on all devices."""
    features = examples.trained[0].shown.shape[1]
    shared = TrainedNetwork(initial_weights(features, len(COMPILED), np.random.default_rng(0)))
    shared.train(examples.trained, epochs, RATE)
    for device in range(len(COMPILED)):
        yield Beginning(shared.on(device), len(examples.trained))


def shipped_networks(examples: Examples) -> Iterator[Beginning]:
    """Yields for each device the network that it ships, trained on all of the table ``train``."""
    networks = PARTS["train"].networks - LEFT_OUT["train"] + examples.others
    for name in COMPILED:
        file = DEVICES / f"{name}-regression" / NETWORK
        network = OperatorNetwork.read(file.read_bytes(), str(file))
        weights = continued_weights(network, examples.kinds)
        yield Beginning(TrainedNetwork(weights), networks, network.ms)


def main() -> None:
    """Trains and writes the networks of all devices."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tables", type=Path, help="folder written by tables.py")
    parser.add_argument(
        "--continue", action="store_true", dest="continued", help="start from the shipped weights"
    )
    parser.add_argument("--device", action="append", choices=COMPILED, help="may be repeated [all]")
    parser.add_argument("--epochs", type=int, default=EPOCHS, help="on all devices together")
    parser.add_argument("--own-epochs", type=int, default=OWN_EPOCHS, help="on each device")
    options = parser.parse_args()
    examples = Examples.read(options.tables)
    beginnings = (
        shipped_networks(examples)
        if options.continued
        else begun_together(examples, options.epochs)
    )
    for device, (name, begun) in enumerate(zip(COMPILED, beginnings, strict=True)):
        if name not in (options.device or COMPILED):
            continue
        own_examples = [one.on(device) for one in examples.trained]
        begun.network.train(own_examples, options.own_epochs, OWN_RATE)
        print(name, flush=True)
        expected, radius = fit_expected_error(
            {
                part: [predicted_network(begun.network, one.on(device)) for one in left_out]
                for part, left_out in examples.left_out.items()
                if left_out
            }
        )
        network = network_of(begun, name, examples, expected, radius)
        network.write(DEVICES / f"{name}-regression" / NETWORK)


if __name__ == "__main__":
    main()
