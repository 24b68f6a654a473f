"""Whether an output is the model's: what rounding explains, and what it does not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from latency_models import Latency, LatencyError, LatencyRequest, LatencySource, Worker
from latency_models.tflite.interpreter import Arithmetic, run_model
from latency_models.tflite.requests import request_of_file
from nas.latency.verification import MAX_LEVELS, MIN_PSNR_DB, Agreement, verify
from search_spaces import InputError
from tests.latency_models.tflite_builder import TfliteBuilder

from ..tiny_model import SIDE, make_tflite

Pixels = npt.NDArray[np.int16]


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    with Worker() as worker:
        yield worker


@dataclass
class Doubtful(LatencySource):
    """A device whose outputs, as grey levels, are ``told`` in place of what it computes."""

    worker: Worker
    told: Callable[[Pixels], Pixels] = field(default=lambda pixels: pixels)
    given: list[bytes] = field(default_factory=list)

    def measure(self, request: LatencyRequest) -> Latency:
        raise NotImplementedError

    def run(self, request: LatencyRequest, image: bytes) -> bytes:
        self.given.append(image)
        made = self.worker.call(60, run_model, request.make_tflite(), image, Arithmetic.XNNPACK)
        levels = np.frombuffer(made, np.int8).astype(np.int16) + 128
        told = self.told(levels.reshape(-1, 2 * SIDE, 3))
        return (np.clip(told, 0, 255) - 128).astype(np.int8).tobytes()


REQUEST = request_of_file("m.tflite", make_tflite())


def noise(sigma: float) -> Callable[[Pixels], Pixels]:
    random = np.random.default_rng(0)
    return lambda pixels: pixels + random.normal(0, sigma, pixels.shape).round().astype(np.int16)


def corner(pixels: Pixels) -> Pixels:
    changed = pixels.copy()
    changed[0, 0] = (changed[0, 0] + 128) % 256
    return changed


def test_an_honest_device(worker: Worker) -> None:
    source = Doubtful(worker)
    agreement = verify(REQUEST, source, worker)
    assert agreement == Agreement("chelsea.png", 0, 0.0, 100.0)
    assert agreement.text == "equal in every byte, for chelsea.png"
    (image,) = source.given
    assert len(image) == 3 * SIDE**2
    assert len(set(image)) > SIDE  # a photograph


@pytest.mark.parametrize("told", [lambda pixels: pixels + 1, noise(0.8)])
def test_rounding_is_no_lie(worker: Worker, told: Callable[[Pixels], Pixels]) -> None:
    agreement = verify(REQUEST, Doubtful(worker, told), worker)
    assert 0 < agreement.largest < 5
    assert MIN_PSNR_DB < agreement.psnr_db < 60
    assert f"at most {agreement.largest} levels" in agreement.text


@pytest.mark.parametrize(
    "told",
    [
        np.zeros_like,
        lambda pixels: pixels[::-1],
        lambda pixels: pixels[..., ::-1],
        lambda pixels: np.roll(pixels, 1, axis=1),
        lambda pixels: 255 - pixels,
        lambda pixels: pixels + 4,
        lambda pixels: pixels // 16 * 16,
        noise(4.0),
        corner,
    ],
    ids=[
        "nothing", "upside down", "BGR", "shifted", "negative", "brighter", "four bits", "noise",
        "one pixel",
    ],
)  # fmt: skip
def test_a_device_that_computes_something_else(
    worker: Worker, told: Callable[[Pixels], Pixels]
) -> None:
    with pytest.raises(LatencyError, match=r"something else than this machine, at most \d+ levels"):
        verify(REQUEST, Doubtful(worker, told), worker)


def test_an_output_of_another_size(worker: Worker) -> None:
    with pytest.raises(LatencyError, match=f"has {6 * SIDE**2} bytes, the model's {12 * SIDE**2}"):
        verify(REQUEST, Doubtful(worker, lambda pixels: pixels[:SIDE]), worker)


def test_a_flat_output_tells_nothing(worker: Worker) -> None:
    """Whatever the device computes: white is white."""
    file = TfliteBuilder()
    image = file.tensor((1, SIDE, SIDE, 3))
    white = file.constant(np.full((1, 1, 1, 3), 127), "INT8", 1.0)
    file.tensors[white].quantization.zeroPoint = [-128]
    made = file.add("MAXIMUM", (image, white), (1, SIDE, SIDE, 3), "MaximumMinimumOptions")
    source = Doubtful(worker)
    with pytest.raises(
        InputError, match=r"photograph has too few different levels \(1\) to verify"
    ):
        verify(request_of_file("m.tflite", file.build((image,), (made,))), source, worker)
    assert source.given == []


@given(st.binary(min_size=1, max_size=99), st.integers(0, 255))
def test_figures_are_of_levels(levels: bytes, flip: int) -> None:
    other = bytes(min(level + flip % 8, 255) for level in levels)
    agreement = Agreement.of("noise", levels, other)
    differences = [b - a for a, b in zip(levels, other, strict=True)]
    assert agreement.largest == max(differences)
    assert agreement.mean == pytest.approx(sum(differences) / len(levels))
    assert agreement == Agreement.of("noise", other, levels)
    assert (agreement.psnr_db == 100.0) == (agreement.largest == 0)
    assert agreement.is_rounding == (agreement.psnr_db >= MIN_PSNR_DB)
    assert agreement.largest <= MAX_LEVELS
