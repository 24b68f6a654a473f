"""Adds the collected trainings to the package's table, and measures its predictions.

    python -m studies.quality_model.fit --train DIR --valid DIR

Chooses the hyperparameters of the Gaussian process by likelihood, and the factor that its intervals
must be widened by to have their nominal coverage. Writes the package's ``networks.jsonl.gz``, and
``README.md`` beside this file. All accuracies are those of 10-fold cross-validation.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel
from sklearn.linear_model import BayesianRidge
from sklearn.model_selection import KFold

from nas.choices import RecipeName
from nas.data.images import load_images
from nas.quality.baselines import bicubic
from nas.quality.image_quality import evaluate
from nas.quality_model.features import NAMES, features_of, matrix_of
from nas.quality_model.full_training_model import HALF_WIDTHS
from nas.quality_model.networks import (
    LOST_DB,
    NETWORKS_FILE,
    KernelValues,
    NetworkTable,
    ShortlyTrainedNetwork,
    shipped_networks,
    write_networks,
)
from nas.quality_model.short_training_model import GainPrior, Gains, gains_of, relative_gains
from nas.searching.refusals import bottleneck, gaps
from nas.system.versions import installed_versions
from nas.training.recipe import recipe_named

from ..ledger import described
from .collect import collected
from .in_full import Predicted, after_full, missing_db, trained_in_full

Floats = npt.NDArray[np.float64]
README = Path(__file__).parent / "README.md"
#: Bounds of a length scale, in standard deviations of the feature.
_LENGTHS = (3.0, 50.0)
_START = KernelValues(0.5, 0.06, dict.fromkeys(NAMES, 5.0), 1.0)


@dataclass(frozen=True)
class Rows:
    """Features (n, features) and gains in dB (n,) of networks; related ones derive from others."""

    features: Floats
    gains: Floats
    related: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, table: NetworkTable) -> Rows:
        networks = table.networks
        features = matrix_of([features_of(network.candidate) for network in networks])
        return cls(features, gains_of(table), np.array([one.related for one in networks]))

    def at(self, rows: npt.NDArray[np.int64] | slice) -> Rows:
        """Returns the rows with these indices."""
        return Rows(self.features[rows], self.gains[rows], self.related[rows])


#: Function that fits a model to rows, and predicts the gains of other features.
Model = Callable[[Rows, Floats], Gains]


def gaussian_process(rows: Rows, queries: Floats) -> Gains:
    """The package's Gaussian process, with hyperparameters chosen on ``rows``."""
    prior = GainPrior.fitted(rows.features, rows.gains, fit_kernel(rows))
    return prior.gains(queries)


def extra_trees(rows: Rows, queries: Floats) -> Gains:
    """Extremely randomized trees; the deviation is that of the out-of-bag errors."""
    trees = ExtraTreesRegressor(
        300, min_samples_leaf=2, bootstrap=True, oob_score=True, random_state=0
    ).fit(rows.features, rows.gains)
    deviation = float(np.std(trees.oob_prediction_ - rows.gains))
    return Gains(trees.predict(queries), np.full(len(queries), deviation))


def bayesian_ridge(rows: Rows, queries: Floats) -> Gains:
    """Bayesian ridge regression."""
    features = rows.features
    center, spread = features.mean(axis=0), features.std(axis=0) + 1e-9
    model = BayesianRidge().fit((features - center) / spread, rows.gains)
    return Gains(*model.predict((queries - center) / spread, return_std=True))


def macs_alone(rows: Rows, queries: Floats) -> Gains:
    """Linear regression on the logarithm of multiply-accumulates alone."""
    column = [NAMES.index("log_macs")]
    return bayesian_ridge(replace(rows, features=rows.features[:, column]), queries[:, column])


#: Models that the Gaussian process is compared with.
RIVALS: dict[str, Model] = {
    "extremely randomized trees": extra_trees,
    "Bayesian ridge": bayesian_ridge,
    "multiply-accumulates alone": macs_alone,
}


def fit_kernel(rows: Rows) -> KernelValues:
    """Returns the hyperparameters with the largest likelihood on random networks.

    Related networks are left out: with such near copies, cross-validated errors are larger, and
    intervals are too small.
    """
    drawn = rows.at(np.flatnonzero(~rows.related))
    features, by_scale = drawn.features, _relative_gains(drawn)
    gains = drawn.gains / relative_gains(features, by_scale)
    center, spread = features.mean(axis=0), features.std(axis=0)
    spread[spread < 1e-6] = 1.0
    kernel = ConstantKernel(_START.amplitude_db**2, (0.01, 4.0)) * Matern(
        np.full(len(NAMES), 5.0), _LENGTHS, nu=2.5
    ) + WhiteKernel(_START.noise_db**2, (1e-4, 0.1))
    fitted = GaussianProcessRegressor(kernel).fit(
        (features - center) / spread, gains - gains.mean()
    )
    found = fitted.kernel_
    return KernelValues(
        amplitude_db=round(float(found.k1.k1.constant_value) ** 0.5, 4),
        noise_db=round(float(found.k2.noise_level) ** 0.5, 4),
        length_scales={
            name: round(float(length), 2)
            for name, length in zip(NAMES, found.k1.k2.length_scale, strict=True)
        },
        widening=1.0,
        relative_gains=by_scale,
    )


def _relative_gains(rows: Rows) -> dict[int, float]:
    """Returns the mean gain at each scale relative to that at x3."""
    scales = np.rint(2.0 ** rows.features[:, NAMES.index("log_scale")]).astype(int)
    means = {int(scale): float(rows.gains[scales == scale].mean()) for scale in np.unique(scales)}
    return {scale: round(mean / means[3], 3) for scale, mean in means.items()}


def widening(predicted: Gains, gains: Floats) -> float:
    """Returns the factor on deviations with which intervals contain nine of ten networks."""
    errors = np.abs(predicted.mean_db - gains) / predicted.deviation_db
    return round(max(1.0, float(np.nanquantile(errors, 0.9)) / HALF_WIDTHS), 3)


def cross_validate(model: Model, rows: Rows) -> Gains:
    """Predicts each random network by a model fitted without it; related networks are NaN."""
    mean, deviation = np.full((2, len(rows.gains)), np.nan)
    drawn, related = np.flatnonzero(~rows.related), np.flatnonzero(rows.related)
    for rest, out in KFold(10, shuffle=True, random_state=0).split(drawn):
        known, tested = np.sort(np.concatenate([drawn[rest], related])), drawn[out]
        predicted = model(rows.at(known), rows.features[tested])
        mean[tested], deviation[tested] = predicted.mean_db, predicted.deviation_db
    return Gains(mean, deviation)


def row(name: str, predicted: Gains, gains: Floats, keep: npt.NDArray[np.bool_]) -> str:
    """Returns a table row: errors, rank correlation, and coverage of the intervals."""
    found = Predicted(predicted.mean_db[keep], predicted.deviation_db[keep], gains[keep])
    return (
        f"| {name} | {found.rms_error_db:.3f} | {np.median(np.abs(found.error_db)):.3f} "
        f"| {found.tau:.2f} | {found.coverage:.0%} |"
    )


def in_full(
    table: NetworkTable, rows: Rows, predicted: Gains, keep: npt.NDArray[np.bool_]
) -> Predicted:
    """Converts predictions and truth to gains after a full training.

    Both get what a full training is expected to add to the network's short training.
    """
    networks = [network for network, kept in zip(table.networks, keep, strict=True) if kept]
    missing = missing_db(networks, table.steps)
    mean_db, deviation_db = predicted.mean_db[keep], predicted.deviation_db[keep]
    gain_db = rows.gains[keep]
    return Predicted(mean_db + missing, deviation_db, gain_db + missing)


def page(table: NetworkTable, rows: Rows, own: Gains) -> str:
    """Returns the text of README.md; ``own`` are cross-validated gains of the package's model."""
    scales = np.array([network.scale for network in table.networks])
    gains, drawn = rows.gains, ~rows.related
    at_x3 = drawn & (scales == 3)
    rivals = {name: cross_validate(model, rows) for name, model in RIVALS.items()}
    predictions = {"Gaussian process (in use)": own, **rivals}
    models = [row(name, found, gains, at_x3) for name, found in predictions.items()]
    of_macs = in_full(table, rows, rivals["multiply-accumulates alone"], at_x3)
    full = after_full(
        in_full(table, rows, own, at_x3), of_macs, trained_in_full(table, rows.features)
    )
    by_scale = [
        row(f"x{scale}", own, gains, drawn & (scales == scale)) for scale in sorted(set(scales))
    ]
    growth = [
        row(str(count), _predicted_by_first(rows, count), gains, _later(at_x3, count))
        for count in _counts(len(gains))
    ]
    lengths = sorted(table.kernel.length_scales.items(), key=lambda item: item[1])
    matter = ", ".join(f"{name} {length:g}" for name, length in lengths if length < _LENGTHS[1] / 2)
    relative = ", ".join(
        f"{gain:.2f} at x{scale}"
        for scale, gain in table.kernel.relative_gains.items()
        if scale != 3
    )
    counts = ", ".join(f"{(scales == s).sum()} for x{s}" for s in sorted(set(scales)))
    return "\n".join(
        [
            "# PSNR of a network, predicted before it is trained",
            "",
            "    python -m studies.quality_model.collect --train DIR --valid DIR",
            "    python -m studies.quality_model.adopt STUDY ...",
            "    python -m studies.quality_model.fit --train DIR --valid DIR",
            "",
            f"{len(gains)} networks of `mobile` and `anchor` ({counts}), each trained for",
            f"{table.steps} steps, the default of a search, on {table.train['files']} photographs",
            f"and evaluated on {table.valid['files']} others. {drawn.sum()} are random, and",
            f"{rows.related.sum()} were derived from one another by searches; the accuracy is not",
            "measured on the latter. Predicted is the gain in INT8 PSNR over bicubic enlargement",
            f"(gains below {LOST_DB:g} dB count as {LOST_DB:g} dB). The accuracy is measured by",
            "cross-validation: a tenth of the networks is left out at a time, and all choices are",
            "made without it. For x3:",
            "",
            _head("model"),
            *models,
            "",
            *full,
            "",
            "In use, the standard deviations that the Gaussian process predicts are multiplied by",
            f"{table.kernel.widening:g}, so that nine of ten left-out networks of all scales are",
            "within their 90 % interval. Gains at other scales are divided by their mean relative",
            f"to the mean at x3: {relative}. By scale:",
            "",
            _head("scale"),
            *by_scale,
            "",
            "Accuracy of the Gaussian process when fitted to the first networks of the table only,",
            "which also determine all choices and the factor on the deviations; it is measured on",
            "the later networks for x3.",
            "",
            _head("networks"),
            *growth,
            "",
            "The features with the largest influence, and their length scales in standard",
            f"deviations of the feature (the shorter, the more influential): {matter}.",
            "",
        ]
    )


def _head(first: str) -> str:
    """Returns the head of a table of ``row``; ``first`` is the title of its first column."""
    return (
        f"| {first} | root mean square error, dB | median absolute error, dB | Kendall's tau "
        "| coverage of the 90 % interval |\n|---|---|---|---|---|"
    )


def _counts(networks: int) -> list[int]:
    return [count for count in (50, 100, 200, 400) if count < 0.8 * networks]


def _later(keep: npt.NDArray[np.bool_], count: int) -> npt.NDArray[np.bool_]:
    return np.asarray(keep & (np.arange(len(keep)) >= count))


def _predicted_by_first(rows: Rows, count: int) -> Gains:
    """Predicts all networks by the first ``count`` alone, which also give the widening."""
    known = rows.at(slice(count))
    predicted = gaussian_process(known, rows.features)
    factor = widening(cross_validate(gaussian_process, known), known.gains)
    return replace(predicted, deviation_db=factor * predicted.deviation_db)


def all_networks() -> Iterator[ShortlyTrainedNetwork]:
    """Yields the networks of the package's table, and those collected since.

    Failed trainings are left out, and networks that no search would train.
    """
    networks = {one.candidate.hash: one for one in (*shipped_networks().networks, *collected())}
    for network in networks.values():
        graph = network.candidate.graph
        if not (bottleneck(graph) or gaps(graph)):
            yield network


def main() -> None:
    """Writes the table and the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--train", type=Path, required=True)
    parser.add_argument("--valid", type=Path, required=True)
    options = parser.parse_args()
    networks = tuple(all_networks())
    scales = sorted({network.scale for network in networks})
    valid = {scale: load_images(options.valid, scale) for scale in scales}
    table = NetworkTable(
        steps=recipe_named(RecipeName.PROXY).steps,
        train=described(load_images(options.train, 3)),
        valid=described(valid[3]),
        bicubic_psnr_db={s: evaluate(bicubic(s), valid[s]).psnr_db for s in scales},
        versions=installed_versions(),
        kernel=_START,
        networks=networks,
    )
    rows = Rows.of(table)
    own = cross_validate(gaussian_process, rows)
    kernel = replace(fit_kernel(rows), widening=widening(own, rows.gains))
    table = replace(table, kernel=kernel)
    write_networks(table, NETWORKS_FILE)
    README.write_text(page(table, rows, own), encoding="utf-8")
    print(README.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
