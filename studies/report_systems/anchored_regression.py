"""A+, the best example-based super-resolution before neural networks: regression per anchor.

Timofte, De Smet, Van Gool, "A+: Adjusted Anchored Neighborhood Regression for Fast
Super-Resolution", ACCV 2014. A patch of the bicubically enlarged luminance is described by its
gradients; the nearest of many anchors selects the linear regressor that predicts the detail which
bicubic enlargement lacks.
Chrominance is enlarged by bicubic.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt
from PIL import Image

from nas.data.images import ImageSet
from nas.data.pixels import Pixels
from nas.system.files import reading, write_arrays
from search_spaces import InputError

Floats = npt.NDArray[np.float32]

#: ITU-R BT.601 in full range, as in JPEG. At constant chrominance, a change of luminance changes R,
#: G and B by the same amount.
_LUMINANCE = np.array([0.299, 0.587, 0.114], np.float32)
#: A patch is 3x3 LR pixels (section 4 of the paper); neighbors are one LR pixel apart.
_PATCH = 3
#: Edge pixels are repeated this often, so that every pixel lies in a full number of patches.
_MARGIN = _PATCH - 1
#: Number of filters: first and second derivatives along rows and columns (Zeyde, Elad, Protter,
#: 2010).
_FILTERS = 4
#: Share of the gradients' energy that the projection keeps.
_ENERGY = 0.999
#: Patches with shorter features are left out: they have no direction to find an anchor by.
_FLAT = 1e-6
#: Limits of memory: patches predicted, and anchors compared, at a time.
_PATCHES_AT_ONCE = 1 << 15
_ANCHORS_AT_ONCE = 16


@dataclass(frozen=True)
class AnchoredRegressionRecipe:
    """Settings for fitting A+; the defaults of anchors, neighbors and ridge are the paper's.

    Each of ``anchors`` regressors is fitted to the ``neighbors`` training patches nearest to it,
    of ``patches`` drawn evenly from the images, with ``ridge`` added to the Gram matrix. The paper
    draws five million.
    """

    anchors: int = 1024
    neighbors: int = 2048
    patches: int = 1_000_000
    ridge: float = 0.1

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not value > 0:
                raise InputError(f"A+ {name} of {value}: choose a number above 0")
        if max(self.anchors, self.neighbors) > self.patches:
            raise InputError(
                f"A+ with {self.patches} patches: too few for {self.anchors} anchors of "
                f"{self.neighbors} neighbors; draw more patches"
            )


@dataclass(frozen=True, eq=False)
class AnchoredRegression:
    """A fitted A+ for one ``scale``, all arrays float32.

    ``basis`` (4 (3 scale)^2, k) projects the gradients of a patch to ``k`` features; ``anchors``
    (n, k) are of length 1; ``regressors`` (n, k, (3 scale)^2) take features to the detail, in grey
    levels.
    """

    scale: int
    basis: Floats
    anchors: Floats
    regressors: Floats

    def __post_init__(self) -> None:
        pixels = (_PATCH * self.scale) ** 2
        count, features = self.anchors.shape
        shapes = (self.basis.shape, self.regressors.shape)
        expected = ((_FILTERS * pixels, features), (count, features, pixels))
        if self.scale < 2 or shapes != expected:
            raise InputError(f"A+ of scale {self.scale}: arrays are {shapes}, not {expected}")

    @classmethod
    def fit(
        cls,
        images: ImageSet,
        recipe: AnchoredRegressionRecipe | None = None,
        seed: int = 0,
    ) -> Self:
        """Fits A+ to ``images``; the same recipe and seed give the same regressors.

        Raises InputError if the images have fewer patches with detail than anchors or neighbors.
        """
        recipe = recipe or AnchoredRegressionRecipe()
        positions = _PatchPositions.draw(images, recipe, seed)
        basis = _principal_directions(positions.gradients())
        features, details = positions.examples(basis)
        if len(features) < max(recipe.anchors, recipe.neighbors):
            raise InputError(
                f"A+ needs {max(recipe.anchors, recipe.neighbors)} patches with any detail, the "
                f"images have {len(features)}; give more images, or fewer anchors and neighbors"
            )
        anchors = _cluster(features, recipe.anchors, seed)
        regressors = np.stack(
            [
                _ridge(features[nearest], details[nearest], recipe.ridge)
                for nearest in _neighbors(features, anchors, recipe.neighbors)
            ]
        )
        return cls(images.scale, basis, anchors, regressors)

    def upscale(self, lr: Pixels) -> Pixels:
        """Enlarges uint8 RGB (H, W, 3), of any H and W, to (scale H, scale W, 3)."""
        scale, margin = self.scale, _MARGIN
        padded = np.pad(lr, ((margin, margin), (margin, margin), (0, 0)), mode="edge")
        detail = self._detail(_enlarged(padded @ _LUMINANCE, scale))
        colors = [
            _enlarged(lr[..., channel].astype(np.float32), scale) for channel in range(lr.shape[-1])
        ]
        result = np.stack(colors, axis=-1) + detail[..., np.newaxis]
        pixels: Pixels = np.rint(np.clip(result, 0, 255)).astype(np.uint8)
        return pixels

    def save(self, path: Path) -> None:
        """Writes an NPZ file."""
        write_arrays(path, {**vars(self), "scale": np.array(self.scale)})

    @classmethod
    def load(cls, path: Path) -> Self:
        """Reads what ``save`` wrote; InputError if the file is something else."""
        with reading(path):
            try:
                with np.load(path, allow_pickle=False) as file:
                    arrays = {name: file[name] for name in ("basis", "anchors", "regressors")}
                    return cls(int(file["scale"]), **arrays)
            except (KeyError, ValueError, EOFError, zipfile.BadZipFile) as error:
                raise InputError(f"no A+ model ({error}); fit and save one") from None

    def _detail(self, luminance: Floats) -> Floats:
        """Returns each pixel's predicted detail, without the margin: the mean over its patches."""
        scale, side = self.scale, _PATCH
        views = _windows(_gradients(luminance, scale), scale)[:, ::scale, ::scale]
        rows, columns = views.shape[1:3]
        total = np.zeros((rows + side - 1, scale, columns + side - 1, scale), np.float32)
        step = max(1, _PATCHES_AT_ONCE // columns)
        for top in range(0, rows, step):
            block = views[:, top : top + step]
            height = block.shape[1]
            patches = self._predict(_flattened(block.reshape(_FILTERS, -1, *block.shape[3:])))
            tiles = patches.reshape(height, columns, side, scale, side, scale)
            for y in range(side):
                for x in range(side):
                    total[top + y : top + y + height, :, x : x + columns] += np.moveaxis(
                        tiles[:, :, y, :, x], 1, 2
                    )
        inside = total[side - 1 : rows, :, side - 1 : columns]
        inside /= side**2
        return inside.reshape(inside.shape[0] * scale, inside.shape[2] * scale)

    def _predict(self, gradients: Floats) -> Floats:
        """Predicts details (N, (3 scale)^2) from gradients (N, 4 (3 scale)^2)."""
        features = gradients @ self.basis
        # A regressor has no intercept: a patch and its negative belong to the same anchor.
        chosen = np.abs(features @ self.anchors.T).argmax(axis=1)
        details = np.empty((len(features), self.regressors.shape[-1]), np.float32)
        order = np.argsort(chosen, kind="stable")
        for group in np.split(order, np.flatnonzero(np.diff(chosen[order])) + 1):
            details[group] = features[group] @ self.regressors[chosen[group[0]]]
        return details


@dataclass(frozen=True, eq=False)
class _PatchPositions:
    """Positions of the training patches: LR rows and columns of their corners in each image."""

    images: ImageSet
    corners: tuple[tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]], ...]

    @classmethod
    def draw(cls, images: ImageSet, recipe: AnchoredRegressionRecipe, seed: int) -> Self:
        random = np.random.default_rng(seed)
        position_counts = [
            tuple(max(0, side - _PATCH + 1) for side in pair.lr.shape[:2]) for pair in images.pairs
        ]
        sizes = [height * width for height, width in position_counts]
        share = min(1.0, recipe.patches / max(1, sum(sizes)))
        corners = []
        for (height, width), size in zip(position_counts, sizes, strict=True):
            drawn = np.sort(random.choice(size, int(size * share), replace=False))
            rows, columns = np.unravel_index(drawn, (height, width))
            corners.append((rows, columns))
        return cls(images, tuple(corners))

    def gradients(self) -> Iterator[Floats]:
        """Yields the gradients of each image's patches, (N, 4 (3 scale)^2)."""
        scale = self.images.scale
        for pair, (rows, columns) in zip(self.images.in_turn(), self.corners, strict=True):
            windows = _windows(_gradients(_enlarged(pair.lr @ _LUMINANCE, scale), scale), scale)
            yield _flattened(windows[:, rows * scale, columns * scale])

    def examples(self, basis: Floats) -> tuple[Floats, Floats]:
        """Returns features (N, k) of length 1, and the details (N, (3 scale)^2) to predict."""
        scale = self.images.scale
        all_features, all_details = [], []
        described = zip(self.images.pairs, self.corners, self.gradients(), strict=True)
        for pair, (rows, columns), gradients in described:
            lost = pair.hr @ _LUMINANCE - _enlarged(pair.lr @ _LUMINANCE, scale)
            details = _flattened(
                _windows(lost[np.newaxis], scale)[:, rows * scale, columns * scale]
            )
            features = gradients @ basis
            length = np.linalg.norm(features, axis=1, keepdims=True)
            kept = length[:, 0] > _FLAT
            all_features.append(features[kept] / length[kept])
            all_details.append(details[kept] / length[kept])
        return np.concatenate(all_features), np.concatenate(all_details)


def _enlarged(plane: Floats, scale: int) -> Floats:
    """Enlarges (H, W) by bicubic interpolation, without rounding or clipping."""
    height, width = plane.shape
    image = Image.fromarray(np.ascontiguousarray(plane, np.float32))
    return np.asarray(image.resize((width * scale, height * scale), Image.Resampling.BICUBIC))


def _gradients(plane: Floats, scale: int) -> Floats:
    """Returns (4, H, W): first and second differences of pixels that are ``scale`` apart."""
    padded = np.pad(plane, scale, mode="edge")
    middle = slice(scale, -scale)
    above, below = padded[: -2 * scale, middle], padded[2 * scale :, middle]
    left, right = padded[middle, : -2 * scale], padded[middle, 2 * scale :]
    return np.stack(
        [
            below - above,
            right - left,
            (above + below) / 2 - plane,
            (left + right) / 2 - plane,
        ]
    )


def _windows(planes: Floats, scale: int) -> Floats:
    """Returns a view (C, H', W', 3 scale, 3 scale) of (C, H, W): the patch at every pixel."""
    side = _PATCH * scale
    return np.lib.stride_tricks.sliding_window_view(planes, (side, side), axis=(1, 2))


def _flattened(patches: Floats) -> Floats:
    """Reshapes (C, N, h, w) to (N, C h w)."""
    return np.ascontiguousarray(np.moveaxis(patches, 0, 1)).reshape(patches.shape[1], -1)


def _principal_directions(gradients: Iterator[Floats]) -> Floats:
    """Returns (d, k): the directions that hold ``_ENERGY`` of the energy.

    Nothing is centered, since gradients have a mean of about zero.
    """
    moment = sum(part.T.astype(np.float64) @ part for part in gradients)
    energies, directions = np.linalg.eigh(np.asarray(moment))
    held = np.cumsum(energies[::-1]) / max(energies.sum(), np.finfo(float).tiny)
    kept = int(np.searchsorted(held, _ENERGY)) + 1
    return np.ascontiguousarray(directions[:, ::-1][:, :kept], np.float32)


def _cluster(features: Floats, count: int, seed: int) -> Floats:
    """Returns (count, k) anchors of length 1: centers of the features by k-means."""
    # The import takes a second, and only fitting needs it.
    from sklearn.cluster import MiniBatchKMeans

    found = MiniBatchKMeans(count, random_state=seed, n_init=1, batch_size=8192).fit(features)
    centers: Floats = found.cluster_centers_.astype(np.float32)
    centers /= np.maximum(np.linalg.norm(centers, axis=1, keepdims=True), _FLAT)
    return centers


def _neighbors(features: Floats, anchors: Floats, count: int) -> Iterator[npt.NDArray[np.intp]]:
    """Yields for each anchor the rows of ``features`` closest to its direction or the opposite."""
    for first in range(0, len(anchors), _ANCHORS_AT_ONCE):
        similar = np.abs(anchors[first : first + _ANCHORS_AT_ONCE] @ features.T)
        for row in similar:
            yield np.argpartition(row, -count)[-count:]


def _ridge(features: Floats, details: Floats, ridge: float) -> Floats:
    """Returns the regressor (k, d) from features to details, in closed form (paper, equation 6)."""
    gram = features.T @ features + ridge * np.eye(features.shape[1], dtype=np.float32)
    solved: Floats = np.linalg.solve(gram, features.T @ details)
    return solved
