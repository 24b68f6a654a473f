"""Full-length training of one architecture, resumable from its checkpoint after any end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from latency_models import Worker
from latency_models.device import Device, open_source
from search_spaces import Candidate, CandidateError, InputError, InputSpec
from search_spaces.naming import from_anywhere

from ..choices import Quantization
from ..data.images import Data, ImageSet, data_path
from ..data.patches import PatchSampler
from ..data.smaller_copies import with_smaller_copies
from ..quality.image_quality import ModelQuality, evaluate
from ..quality.tiles import require_tiles
from ..system.cores import Cores
from ..system.files import (
    read_arrays,
    reading,
    write_arrays,
    write_json,
    write_text,
    write_whole,
)
from ..system.signals import deferred_interrupts
from ..system.versions import installed_versions
from ..training.checkpoint_file import CheckpointFile
from ..training.job import Phase, Progress, TrainingSeconds, Weights
from ..training.recipe import METHOD, Recipe
from ..training.weights import require_weights_of
from .evaluator import CandidateEvaluator, EvaluatedCandidate
from .model_card import ModelCard, read_card
from .teacher import Teacher
from .training_folder import TrainingFolder
from .validation import PeriodicValidation, ValidationPoint

if TYPE_CHECKING:
    from ..training.trainer import Checkpoint, Trainer

_CURVE_HEADER = "phase,step,psnr_db\n"


@dataclass(frozen=True)
class LongTraining:
    """A full-length training: the network, the images, and the folder of its files.

    A ``teacher`` has a share in the images that are trained towards, not in those to judge by.
    """

    name: str
    candidate: Candidate
    data: Data
    recipe: Recipe
    device: Device
    seed: int
    folder: Path
    teacher: Teacher | None = None

    @property
    def input(self) -> InputSpec:
        return self.device.input

    @property
    def files(self) -> TrainingFolder:
        """The folder of this training."""
        return TrainingFolder(self.folder, self.name, self.identity)

    @property
    def identity(self) -> dict[str, Any]:
        """What a folder must agree with for the training to continue in it.

        INT8 steps may follow what was only quantized, and need not follow what was begun.
        """
        others = ("bfloat16", "quantization", "smaller_copies")
        copies = self.recipe.smaller_copies
        recipe = {key: value for key, value in vars(self.recipe).items() if key not in others}
        return {
            "candidate": self.candidate.hash,
            "data": self.data.fingerprint,
            "granularity": self.device.weights,
            "seed": self.seed,
            "method": METHOD,
            **recipe,
            **({"smaller_copies": copies} if copies else {}),
            **({"teacher": self.teacher.digest} if self.teacher else {}),
        }

    def run(
        self,
        observe: Callable[[Progress], None],
        judged: Callable[[ValidationPoint], None] = lambda point: None,
        taught: Callable[[int, int], None] = lambda made, images: None,
    ) -> EvaluatedCandidate:
        """Trains to the end, from the checkpoint if there is one; writes model, weights, card.

        A network that was only quantized goes on with INT8 steps, if the recipe has them.
        ``observe`` is called after every step, ``judged`` whenever the network was judged between,
        ``taught`` before the first step, when the teacher has made one of so many images.
        InputError if the folder is another training's, or somebody is at work in it.
        """
        files = self.files

        def note(point: ValidationPoint) -> None:
            self._add_to_curve(point)
            judged(point)

        with Worker() as worker:
            # What can be refused is refused before hours of training.
            require_tiles(self.candidate.deployed, self.input, self.data.validation)
            PatchSampler(self.data.training, self.recipe.batch, self.recipe.patch)
            if self.teacher:
                self.teacher.open(worker, self.data.training.scale)
            evaluator = self.evaluator(worker)
            with files.held(), deferred_interrupts() as interrupted:
                if self.finished:
                    raise InputError(f"{self.folder}: this training is finished")
                checkpoint = CheckpointFile(files.checkpoint, self.identity)
                begun = checkpoint.read() or self._before_int8_steps()
                if begun is None:
                    files.curve.unlink(missing_ok=True)
                keeper = _Keeper(
                    checkpoint, PeriodicValidation(evaluator, note), observe, interrupted
                )
                targets = self._targets(worker, taught)
                compared = self._trained(evaluator, keeper, targets, begun)
                evaluated = max(compared, key=lambda one: one.quality.psnr_db)
                self._write(evaluated, compared, self._card(evaluated, evaluator))
        return evaluated

    def _targets(self, worker: Worker, tell: Callable[[int, int], None]) -> ImageSet:
        """The images that the network is trained towards."""
        recipe = self.recipe
        images = with_smaller_copies(self.data.training, recipe.smaller_copies, recipe.patch)
        return self.teacher.targets(images, worker, tell) if self.teacher else images

    def _before_int8_steps(self) -> Checkpoint | None:
        """The end of the steps in floating point, if the folder has a network that took them."""
        from ..training.trainer import Checkpoint

        if not self.files.float_weights(int8_trained=False).exists():
            return None
        spent = read_card(self.files.card).seconds if self.files.finished else {}
        seconds = TrainingSeconds(spent.get("training", 0.0), spent.get("gradient", 0.0))
        finished = {Phase.FLOAT: self.float_weights(int8_trained=False)}
        return Checkpoint(Phase.FLOAT, self.recipe.steps, {}, seconds, finished)

    def _trained(
        self,
        evaluator: CandidateEvaluator,
        keeper: _Keeper,
        images: ImageSet,
        begun: Checkpoint | None,
    ) -> tuple[EvaluatedCandidate, ...]:
        """The network quantized after training and, if asked for, after INT8 training too."""
        from ..training.trainer import train_phases
        from ..training.training_run import quantized_weights, training_result

        job = evaluator.job(self.candidate, self.seed)
        trained = train_phases(job, images, self._phases, keeper.begin, keeper.observe, begun)
        weights, seconds = trained.weights, trained.seconds
        int8 = quantized_weights(job, weights[Phase.FLOAT], self.data.training)
        results = [training_result(job, self.data, weights[Phase.FLOAT], int8, seconds)]
        if Phase.INT8 in weights:
            float32, int8 = weights[Phase.TWIN], weights[Phase.INT8]
            results.append(
                training_result(job, self.data, float32, int8, seconds, int8_trained=True)
            )
        return tuple(evaluator.complete(job, result) for result in results)

    @property
    def _phases(self) -> tuple[Phase, ...]:
        """What INT8 training costs is told by a twin that is trained as long without rounding."""
        if self.recipe.quantization is Quantization.PTQ:
            return (Phase.FLOAT,)
        return (Phase.FLOAT, Phase.INT8, Phase.TWIN)

    def _write(
        self,
        evaluated: EvaluatedCandidate,
        compared: tuple[EvaluatedCandidate, ...],
        card: ModelCard,
    ) -> None:
        """Writes the files, the card last: a folder with a card is complete."""
        files = self.files
        files.card.unlink(missing_ok=True)
        for one in compared:
            path = files.float_weights(int8_trained=one.training.int8_trained)
            write_arrays(path, one.training.float32)
            if one is not evaluated:
                write_whole(files.other_model, one.tflite)
        write_arrays(files.weights, evaluated.training.int8)
        write_whole(files.model, evaluated.tflite)
        write_json(files.card, {**card.to_json(), "identity": self.identity})
        files.checkpoint.unlink(missing_ok=True)

    @property
    def finished(self) -> ModelCard | None:
        """What the card says, once all that the recipe asks for is done.

        InputError if the folder is another training's, or its files are for another device or size.
        """
        if not self.files.finished:
            return None
        card, device = read_card(self.files.card), self.device
        if (card.device, card.input) != (device.name, device.input):
            raise InputError(
                f"{self.folder}: this training is finished, for {card.device} at {card.input}, not "
                f"for {device.name} at {device.input}; `nas export --input` makes files of other "
                "sizes, `nas latency` times them, and another --out trains anew"
            )
        only_quantized = card.training.get("quantization") == Quantization.PTQ
        return None if only_quantized and Phase.INT8 in self._phases else card

    def float_weights(self, *, int8_trained: bool) -> Weights:
        """Floating-point weights of a finished training."""
        path = self.files.float_weights(int8_trained=int8_trained)
        weights = read_arrays(path)
        with reading(path):
            require_weights_of(self.candidate.deployed, weights)
        return weights

    def test(self, images: ImageSet) -> ModelQuality:
        """Quality on other images of the finished INT8 file and of its floating-point network."""
        from ..training.training_run import float_quality

        finished = self.finished
        assert finished is not None  # it has run
        float32 = self.float_weights(int8_trained=is_int8_trained(finished))
        with Worker() as worker:
            evaluator = self.evaluator(worker)
            job = evaluator.job(self.candidate, self.seed)
            int8 = evaluate(evaluator.upscaler(self.files.model.read_bytes()), images)
            return ModelQuality.of(int8, float_quality(job, float32, images))

    def evaluator(self, worker: Worker) -> CandidateEvaluator:
        """What converts and judges this training's network; its work is done in ``worker``."""
        return CandidateEvaluator(
            source=open_source(self.device, worker),
            worker=worker,
            data=self.data,
            recipe=self.recipe,
            input=self.input,
            granularity=self.device.weights,
            threads=Cores.available().count,
        )

    def _add_to_curve(self, point: ValidationPoint) -> None:
        curve = self.files.curve
        before = curve.read_text() if curve.exists() else _CURVE_HEADER
        write_text(curve, before + f"{point.phase},{point.step},{point.psnr_db:.4f}\n")

    def _card(self, evaluated: EvaluatedCandidate, evaluator: CandidateEvaluator) -> ModelCard:
        """The card; if the device gives no latency, it says why and the training is kept."""
        latency, no_latency = None, ""
        try:
            latency = evaluator.latency_of_file(self.candidate.deployed, evaluated.tflite)
        except CandidateError as error:
            no_latency = str(error)
        return ModelCard(
            name=self.name,
            origin="`nas train`, at full length",
            candidate=self.candidate,
            input=self.input,
            granularity=self.device.weights,
            quality=evaluated.means,
            data=from_anywhere(self.data.name, data_path(self.data.name)),
            data_fingerprint=self.data.fingerprint,
            tflite_kb=len(evaluated.tflite) / 1000,
            device=self.device.name,
            device_found_as=self.device.reference,
            latency=latency,
            no_latency=no_latency,
            training={
                **vars(self.recipe),
                "seed": self.seed,
                "int8_trained": evaluated.training.int8_trained,
                **({"teacher": self.teacher.name} if self.teacher else {}),
            },
            seconds=vars(evaluated.stages),
            versions=installed_versions(),
        )


def is_int8_trained(card: ModelCard) -> bool:
    """Was the file that a training kept trained with INT8 rounding? InputError if it says not."""
    value = card.training.get("int8_trained")
    if not isinstance(value, bool):
        raise InputError(f"the card of {card.name}: training.int8_trained is {value}, no yes or no")
    return value


class _Keeper:
    """Between two steps: writes checkpoints, validates, and stops when asked to."""

    def __init__(
        self,
        checkpoint: CheckpointFile,
        judge: PeriodicValidation,
        observe: Callable[[Progress], None],
        interrupted: Callable[[], bool],
    ) -> None:
        self._checkpoint, self._judge = checkpoint, judge
        self._observe, self._interrupted = observe, interrupted
        self._trainer: Trainer | None = None

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
