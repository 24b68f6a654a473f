"""Full-length training of one architecture, resumable from its checkpoint after any end."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from latency_models import Worker
from latency_models.device import Device, open_source
from search_spaces import Candidate, CandidateError, InputSpec, infer

from .checkpoints import CheckpointFile
from .choices import Quantization
from .cores import Cores
from .files import json_text, write_arrays, write_json, write_whole
from .images.data import Data, ImageSet, PatchSampler
from .images.quality import Quality, convention, evaluate
from .images.tiles import require_tiles
from .interim import Interim, InterimJudge
from .laboratory import Developed, Laboratory
from .networks.job import Phase, Progress
from .networks.recipe import Recipe
from .signals import deferred_interrupts
from .studies.record import latency_to_json
from .studies.settings import installed_versions

if TYPE_CHECKING:
    from .networks.trainer import Checkpoint, Trainer

MODEL = "model.tflite"
#: The INT8 file that was not kept, where two were made.
OTHER_MODEL = "other.tflite"
_CURVE_HEADER = "phase,step,psnr_db\n"


@dataclass(frozen=True)
class LongTraining:
    """What is to be trained, on what, and where its files go."""

    name: str
    candidate: Candidate
    data: Data
    recipe: Recipe
    device: Device
    seed: int
    folder: Path

    @property
    def input(self) -> InputSpec:
        return self.device.input

    @property
    def identity(self) -> dict[str, Any]:
        """What a checkpoint must agree with to be gone on from."""
        recipe = {key: value for key, value in vars(self.recipe).items() if key != "bfloat16"}
        return {
            "candidate": self.candidate.hash,
            "data": self.data.fingerprint,
            "granularity": self.device.weights,
            "seed": self.seed,
            **recipe,
        }

    def run(
        self,
        observe: Callable[[Progress], None],
        judged: Callable[[Interim], None] = lambda interim: None,
    ) -> Developed:
        """Trains to the end, from the checkpoint if there is one; writes model, weights, card.

        ``observe`` is called after every step, ``judged`` whenever the network was judged between.
        """
        # What can be refused is refused before hours of training.
        require_tiles(self.candidate.deployed, self.input, self.data.validation)
        PatchSampler(self.data.training, self.recipe.batch, self.recipe.patch)
        self.folder.mkdir(parents=True, exist_ok=True)
        checkpoint = CheckpointFile(self.folder / "checkpoint.npz", self.identity)
        if not checkpoint.path.exists():
            self._curve.unlink(missing_ok=True)

        def note(interim: Interim) -> None:
            self._add_to_curve(interim)
            judged(interim)

        with Worker() as worker, deferred_interrupts() as interrupted:
            laboratory = self.laboratory(worker)
            keeper = _Keeper(checkpoint, InterimJudge(laboratory, note), observe, interrupted)
            compared = self._trained(laboratory, keeper)
            developed = max(compared, key=lambda one: one.quality.psnr_db)
            card = self._card(developed, self._timing(laboratory, developed.tflite))
        self._write(developed, compared, card)
        checkpoint.path.unlink(missing_ok=True)
        return developed

    def _trained(self, laboratory: Laboratory, keeper: _Keeper) -> tuple[Developed, ...]:
        """The network quantized after training, and, if that is to be tried, trained as INT8."""
        from .networks.trainer import train_phases
        from .networks.training_run import judged, quantized_afterwards

        job = laboratory.job(self.candidate, self.seed)
        trained = train_phases(
            job, self.data.training, self._phases, keeper.begin, keeper.observe, keeper.found
        )
        weights, seconds = trained.weights, trained.seconds
        int8 = quantized_afterwards(job, weights[Phase.FLOAT], self.data.training)
        results = [judged(job, self.data, weights[Phase.FLOAT], int8, seconds)]
        if Phase.INT8 in weights:
            float32, int8 = weights[Phase.TWIN], weights[Phase.INT8]
            results.append(judged(job, self.data, float32, int8, seconds, int8_trained=True))
        return tuple(laboratory.complete(job, result) for result in results)

    @property
    def _phases(self) -> tuple[Phase, ...]:
        """What INT8 training costs is told by a twin that is trained as long without rounding."""
        if self.recipe.quantization is Quantization.PTQ:
            return (Phase.FLOAT,)
        return (Phase.FLOAT, Phase.INT8, Phase.TWIN)

    def _write(
        self, developed: Developed, compared: tuple[Developed, ...], card: dict[str, Any]
    ) -> None:
        for one in compared:
            write_arrays(
                self.folder / float_file(int8_trained=one.training.int8_trained),
                one.training.float32,
            )
            if one is not developed:
                write_whole(self.folder / OTHER_MODEL, one.tflite)
        write_arrays(self.folder / "weights.npz", developed.training.int8)
        write_whole(self.folder / MODEL, developed.tflite)
        write_json(self.folder / "card.json", card)

    @property
    def finished(self) -> bool:
        """Do the files of this very training lie in its folder?"""
        card = self.folder / "card.json"
        if not card.exists():
            return False
        written = json.loads(card.read_text(encoding="utf-8")).get("identity")
        return bool(written == json.loads(json_text(self.identity)))

    def test(self, developed: Developed, images: ImageSet) -> tuple[Quality, Quality]:
        """Quality of the INT8 file and of the floating-point network on other images."""
        from .networks.training_run import float_quality

        with Worker() as worker:
            laboratory = self.laboratory(worker)
            job = laboratory.job(self.candidate, self.seed)
            return (
                evaluate(laboratory.upscaler(developed.tflite), images),
                float_quality(job, developed.training.float32, images),
            )

    def laboratory(self, worker: Worker) -> Laboratory:
        """What converts and judges this training's network; its work is done in ``worker``."""
        return Laboratory(
            source=open_source(self.device, worker),
            worker=worker,
            data=self.data,
            recipe=self.recipe,
            input=self.input,
            granularity=self.device.weights,
            threads=Cores.available().count,
        )

    @property
    def _curve(self) -> Path:
        """Quality on the way, where the way was long enough."""
        return self.folder / "validation.csv"

    def _add_to_curve(self, interim: Interim) -> None:
        before = self._curve.read_text() if self._curve.exists() else _CURVE_HEADER
        row = f"{interim.phase},{interim.step},{interim.psnr_db:.4f}\n"
        write_whole(self._curve, (before + row).encode())

    def _timing(self, laboratory: Laboratory, tflite: bytes) -> dict[str, Any]:
        """The card's lines on latency; without one they say why: hours of work are not lost."""
        try:
            latency = laboratory.latency_of_file(self.candidate.deployed, tflite)
        except CandidateError as error:
            return {"device": self.device.name, "latency": None, "no_latency": str(error)}
        return {"device": self.device.name, "latency": latency_to_json(latency)}

    def _card(self, developed: Developed, timing: dict[str, Any]) -> dict[str, Any]:
        figures = infer(self.candidate.deployed, self.input)
        return {
            "name": self.name,
            "psnr_db": developed.quality.psnr_db,
            "ssim": developed.quality.ssim,
            "psnr_float_db": developed.float_quality.psnr_db,
            "ssim_float": developed.float_quality.ssim,
            "drop_db": developed.drop_db,
            "convention": convention(self.candidate.graph.scale),
            "data": {"name": self.data.name, "fingerprint": self.data.fingerprint},
            "scale": self.candidate.graph.scale,
            "input": str(self.input),
            **timing,
            "levels": "int8 in and out: grey level g is byte g - 128",
            "parameters": figures.parameters,
            "macs": figures.macs,
            "architecture": self.candidate.to_json(),
            "training": {
                **vars(self.recipe),
                "seed": self.seed,
                "int8_trained": developed.training.int8_trained,
            },
            "identity": self.identity,
            "seconds": vars(developed.stages),
            "versions": installed_versions(),
        }


def float_file(*, int8_trained: bool) -> str:
    """Where the values of the floating-point network beside an INT8 file are."""
    return "twin.npz" if int8_trained else "float.npz"


class _Keeper:
    """What is done between two steps: a checkpoint, a judgement, or an end that is asked for."""

    def __init__(
        self,
        checkpoint: CheckpointFile,
        judge: InterimJudge,
        observe: Callable[[Progress], None],
        interrupted: Callable[[], bool],
    ) -> None:
        self._checkpoint, self._judge = checkpoint, judge
        self._observe, self._interrupted = observe, interrupted
        self._trainer: Trainer | None = None

    @property
    def found(self) -> Checkpoint | None:
        """Where an earlier run was cut off."""
        return self._checkpoint.read()

    def begin(self, trainer: Trainer) -> None:
        self._trainer = trainer

    def observe(self, progress: Progress) -> None:
        assert self._trainer is not None  # it has begun
        self._observe(progress)
        if self._checkpoint.is_due or self._interrupted():
            self._checkpoint.write(self._trainer.capture())
        if self._interrupted():
            raise KeyboardInterrupt
        self._judge.observe(self._trainer, progress)
