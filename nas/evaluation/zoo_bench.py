"""Compares published systems: trains each with the same recipe, quantizes, evaluates, times it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from latency_models import Latency, Worker
from latency_models.device import Device, load_device, open_source
from search_spaces import InputError, InputSpec, infer
from search_spaces.zoo import ZooNetwork

from ..data.images import Data, ImageSet
from ..quality.image_quality import MetricValues, Quality, evaluate
from ..quality.score import log2_score, score_ratio
from ..system.cores import has_bfloat16
from ..system.files import json_text, read_json, require_folder_or_nothing, write_json
from ..training.recipe import Recipe
from .evaluator import untrained_request
from .full_training import LongTraining, is_int8_trained

if TYPE_CHECKING:
    from ..training.job import Progress

#: Networks with more multiply-accumulates at 360x640 are trained for proportionally fewer steps.
LARGE_MACS = 20e9
#: Input size for which multiply-accumulates are given.
_REFERENCE_SIZE = InputSpec(360, 640)


#: The networks of a ``SetQuality``, and the prefix of each in the keys of a row.
_ROW_PREFIXES = {"float32": "float", "ptq": "ptq", "twin": "twin", "qat": "qat", "int8": "int8"}


@dataclass(frozen=True)
class SetQuality:
    """Quality of a system's networks on one set of images.

    ``float32`` is the floating-point network, ``ptq`` its post-training quantization, ``qat`` the
    network after INT8 training (quantization-aware training), ``twin`` the floating-point network
    trained for as many steps, and ``int8`` whichever of ``ptq`` and ``qat`` validates better.
    """

    name: str
    images: int
    float32: MetricValues
    ptq: MetricValues
    twin: MetricValues
    qat: MetricValues
    int8: MetricValues

    @property
    def drop_ptq_db(self) -> float:
        """PSNR lost by quantizing after training, in dB."""
        return self.float32.psnr_db - self.ptq.psnr_db

    @property
    def drop_qat_db(self) -> float:
        """PSNR lost after training with INT8 rounding, in dB."""
        return self.twin.psnr_db - self.qat.psnr_db

    def figures(self, *kinds: str) -> dict[str, float]:
        """Returns the metrics of the networks ``kinds`` by the keys of a row."""
        return {
            key: value
            for kind in kinds
            for key, value in getattr(self, kind).to_json(_ROW_PREFIXES[kind]).items()
        }

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """Returns the object from the result of ``dataclasses.asdict``."""
        return cls(**{**values, **{kind: MetricValues(**values[kind]) for kind in _ROW_PREFIXES}})


@dataclass(frozen=True)
class TrainedSystem:
    """A system's results that do not depend on a device."""

    name: str
    steps: int
    parameters: int
    macs: int
    tflite_kb: float
    sets: tuple[SetQuality, ...]

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Returns the object from the result of ``dataclasses.asdict``."""
        return cls(**{**data, "sets": tuple(SetQuality.from_json(part) for part in data["sets"])})

    @property
    def all_sets(self) -> SetQuality:
        """Mean quality over all images of all sets."""
        count = sum(part.images for part in self.sets)
        weights = [part.images / count for part in self.sets]

        def mean(kind: str) -> MetricValues:
            return MetricValues.mean([getattr(part, kind) for part in self.sets], weights)

        return SetQuality("all", count, **{kind: mean(kind) for kind in _ROW_PREFIXES})


@dataclass(frozen=True)
class System:
    """A trained system, and its latencies on the host and on the device."""

    trained: TrainedSystem
    host: Latency
    device: Latency

    @property
    def log2_score(self) -> float:
        """Logarithm of the challenge's score, on the device and the images of this bench."""
        return log2_score(self.trained.all_sets.int8.psnr_db, self.device.ms)

    def row(self, reference: System | None) -> dict[str, Any]:
        """Returns a row of the table; ``reference`` is ABPN, if it is among the systems."""
        quality = self.trained.all_sets
        sets = {
            f"{part.name.lower()}_{key}": value
            for part in self.trained.sets
            for key, value in part.figures("float32", "ptq", "qat", "int8").items()
        }
        ratio = None if reference is None else score_ratio(self.log2_score, reference.log2_score)
        return {
            "name": self.trained.name,
            "parameters": self.trained.parameters,
            "macs": self.trained.macs,
            "tflite_kb": self.trained.tflite_kb,
            "steps": self.trained.steps,
            **quality.figures(*_ROW_PREFIXES),
            "drop_ptq_db": quality.drop_ptq_db,
            "drop_qat_db": quality.drop_qat_db,
            "host_ms": self.host.ms,
            "device_ms": self.device.ms,
            "on_cpu": " ".join(
                sorted({r.kind for r in self.device.operators if r.name in self.device.on_cpu})
            ),
            "speed_up": self.host.ms / self.device.ms,
            "score_to_abpn": ratio,
            **sets,
        }


@dataclass(frozen=True)
class Bench:
    """Training and test images, device and recipe of a comparison, and the folder of its files.

    A system whose row is in ``folder`` already is not trained again, and an interrupted training
    continues. Raises InputError if ``folder`` is a file.
    """

    data: Data
    tests: Mapping[str, ImageSet]
    device: Device
    steps: int
    seed: int
    folder: Path

    def __post_init__(self) -> None:
        require_folder_or_nothing(self.folder, "name a folder by --out")

    def train(self, network: ZooNetwork, observe: Callable[[Progress], None]) -> TrainedSystem:
        """Trains and evaluates one system; raises CandidateError if that fails."""
        training = self.training(network)
        path = training.folder / "row.json"
        identity = json.loads(json_text({**training.identity, "tests": self._fingerprints}))
        if path.exists() and (stored := _stored_row(path, identity)):
            return stored
        if not training.finished:
            training.run(observe)
        trained = self._evaluate(training, network)
        write_json(path, {"identity": identity, "trained": asdict(trained)})
        return trained

    def time(self, network: ZooNetwork, trained: TrainedSystem) -> System:
        """Times a system on the host and on the device, with surrogate weights."""
        graph, spec = network.build(self.data.training.scale).deployed, self.device.input
        with Worker() as worker:
            host, device = (
                open_source(target, worker).measure(
                    untrained_request(worker, graph, spec, target.weights, network.name)
                )
                for target in (load_device("host"), self.device)
            )
        return System(trained, host, device)

    @property
    def _fingerprints(self) -> dict[str, str]:
        return {name: images.fingerprint for name, images in self.tests.items()}

    def training(self, network: ZooNetwork) -> LongTraining:
        """Returns the training of one system."""
        candidate = network.build(self.data.training.scale)
        share = min(1.0, LARGE_MACS / infer(candidate.deployed, _REFERENCE_SIZE).macs)
        return LongTraining(
            name=f"{network.name}-x{self.data.training.scale}",
            candidate=candidate,
            data=self.data,
            recipe=Recipe(round(self.steps * share), bfloat16=has_bfloat16()),
            device=self.device,
            seed=self.seed,
            folder=self.folder / network.name,
        )

    def _evaluate(self, training: LongTraining, network: ZooNetwork) -> TrainedSystem:
        from ..training.training_run import float_quality

        finished, files = training.finished, training.files
        assert finished is not None  # its run() has returned
        int8_kept = is_int8_trained(finished)
        kept_file, other_file = files.model.read_bytes(), files.other_model.read_bytes()
        floats = [training.float_weights(int8_trained=t) for t in (False, True)]
        with Worker() as worker:
            evaluator = training.evaluator(worker)
            job = evaluator.job(training.candidate, self.seed)
            kept, other = evaluator.upscaler(kept_file), evaluator.upscaler(other_file)
            sets = tuple(
                _set_quality(
                    name,
                    [float_quality(job, weights, images) for weights in floats],
                    evaluate(kept, images),
                    evaluate(other, images),
                    int8_kept=int8_kept,
                )
                for name, images in self.tests.items()
            )
        figures = infer(training.candidate.deployed, _REFERENCE_SIZE)
        return TrainedSystem(
            network.name, training.recipe.steps, figures.parameters, figures.macs,
            len(kept_file) / 1000, sets,
        )  # fmt: skip


def _stored_row(path: Path, identity: dict[str, Any]) -> TrainedSystem | None:
    """Returns the stored row of an earlier run; None if its training or tests were different."""
    try:
        stored = read_json(path)
        return (
            TrainedSystem.from_json(stored["trained"]) if stored["identity"] == identity else None
        )
    except (InputError, KeyError, TypeError) as error:
        reason = str(error).removeprefix(f"{path}: ")
        raise InputError(
            f"{path}: no whole row of a bench ({reason}); delete it, and the network is judged anew"
        ) from None


def _set_quality(
    name: str, floats: list[Quality], kept: Quality, other: Quality, *, int8_kept: bool
) -> SetQuality:
    """Returns the quality on one set; ``int8_kept`` says whether ``kept`` was trained as INT8."""
    quantized, trained = (other, kept) if int8_kept else (kept, other)
    return SetQuality(
        name=name,
        images=len(kept.images),
        float32=floats[0].rgb,
        ptq=quantized.rgb,
        twin=floats[1].rgb,
        qat=trained.rgb,
        int8=kept.rgb,
    )


def table(systems: list[System]) -> list[dict[str, Any]]:
    """Returns the rows of all systems, best score first; scores are ratios to that of ABPN."""
    abpn = next((system for system in systems if system.trained.name == "ABPN"), None)
    ranked = sorted(systems, key=lambda system: system.log2_score, reverse=True)
    return [system.row(abpn) for system in ranked]
