"""Full-length training of one architecture, which resumes from its checkpoint after any stop."""

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
    from ..training.trainer import Checkpoint, TrainedPhases, Trainer

_CURVE_HEADER = "phase,step,psnr_db\n"


@dataclass(frozen=True)
class LongTraining:
    """A full-length training: the network, the images, and the folder of its files.

    The results of a ``teacher`` are mixed into the target images of the training, not into the
    validation images.
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
        """Values that must equal those stored in a folder for the training to continue in it.

        The quantization is not included: INT8 steps may be added to a finished training, or left
        out of one that is unfinished.
        """
        excluded = ("bfloat16", "quantization", "smaller_copies")
        copies = self.recipe.smaller_copies
        recipe = {key: value for key, value in vars(self.recipe).items() if key not in excluded}
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
        """Trains to the end, from the checkpoint if there is one; writes model, weights and card.

        A finished training without INT8 steps continues with them if the recipe has them.
        ``observe`` is called after every step, and ``judged`` after each validation. ``taught`` is
        called before the first step with the number of images that the teacher has done and the
        number of all. Raises InputError if the folder belongs to another training, or another
        process is training in it.
        """
        files = self.files

        def record(point: ValidationPoint) -> None:
            self._add_to_curve(point)
            judged(point)

        with Worker() as worker:
            # Everything that can be checked is checked before hours of training.
            require_tiles(self.candidate.deployed, self.input, self.data.validation)
            PatchSampler(self.data.training, self.recipe.batch, self.recipe.patch)
            if self.teacher:
                self.teacher.open(worker, self.data.training.scale)
            evaluator = self.evaluator(worker)
            with files.locked():
                if self.finished:
                    raise InputError(f"{self.folder}: this training is finished")
                checkpoint = CheckpointFile(files.checkpoint, self.identity)
                start = checkpoint.read() or self._end_of_float_phase()
                if start is None:
                    files.curve.unlink(missing_ok=True)
                targets = self._targets(worker, taught)
                # Only steps defer an interrupt: between two of them, a checkpoint is written first.
                with deferred_interrupts() as interrupted:
                    monitor = _StepMonitor(
                        checkpoint, PeriodicValidation(evaluator, record), observe, interrupted
                    )
                    trained = self._take_steps(evaluator, monitor, targets, start)
                if interrupted():  # after the last step
                    raise KeyboardInterrupt
                alternatives = self._quantize(evaluator, trained)
                evaluated = max(alternatives, key=lambda one: one.quality.psnr_db)
                self._write(evaluated, alternatives, self._card(evaluated, evaluator))
        return evaluated

    def _targets(self, worker: Worker, tell: Callable[[int, int], None]) -> ImageSet:
        """Returns the training images, with the teacher's results in HR if there is a teacher."""
        recipe = self.recipe
        images = with_smaller_copies(self.data.training, recipe.smaller_copies, recipe.patch)
        return self.teacher.targets(images, worker, tell) if self.teacher else images

    def _end_of_float_phase(self) -> Checkpoint | None:
        """Returns a checkpoint at the end of the floating-point phase, from a finished training.

        Returns None if the folder has no weights of a floating-point network.
        """
        from ..training.trainer import Checkpoint

        if not self.files.float_weights(int8_trained=False).exists():
            return None
        spent = read_card(self.files.card).seconds if self.files.finished else {}
        seconds = TrainingSeconds(spent.get("training", 0.0), spent.get("gradient", 0.0))
        finished = {Phase.FLOAT: self.float_weights(int8_trained=False)}
        return Checkpoint(Phase.FLOAT, self.recipe.steps, {}, seconds, finished)

    def _take_steps(
        self,
        evaluator: CandidateEvaluator,
        monitor: _StepMonitor,
        images: ImageSet,
        start: Checkpoint | None,
    ) -> TrainedPhases:
        """Trains all phases, from ``start`` if there is one."""
        from ..training.trainer import train_phases

        job = evaluator.job(self.candidate, self.seed)
        return train_phases(job, images, self._phases, monitor.begin, monitor.observe, start)

    def _quantize(
        self, evaluator: CandidateEvaluator, trained: TrainedPhases
    ) -> tuple[EvaluatedCandidate, ...]:
        """Returns the network quantized after training, and after INT8 training if requested."""
        from ..training.training_run import quantized_weights, training_result

        job = evaluator.job(self.candidate, self.seed)
        weights, seconds = trained.weights, trained.seconds
        int8 = quantized_weights(job, weights[Phase.FLOAT], self.data.training)
        results = [training_result(job, self.data, weights[Phase.FLOAT], int8, seconds)]
        if Phase.TWIN in weights:  # without its twin, the INT8 training was left out half-way
            float32, int8 = weights[Phase.TWIN], weights[Phase.INT8]
            results.append(
                training_result(job, self.data, float32, int8, seconds, int8_trained=True)
            )
        return tuple(evaluator.complete(job, result) for result in results)

    @property
    def _phases(self) -> tuple[Phase, ...]:
        """The phases of the training.

        The twin, trained for as many steps without rounding, shows the cost of INT8 training.
        """
        if self.recipe.quantization is Quantization.PTQ:
            return (Phase.FLOAT,)
        return (Phase.FLOAT, Phase.INT8, Phase.TWIN)

    def _write(
        self,
        evaluated: EvaluatedCandidate,
        alternatives: tuple[EvaluatedCandidate, ...],
        card: ModelCard,
    ) -> None:
        """Writes the files, the card last: a folder with a card is complete.

        ``evaluated`` is the better one of the ``alternatives``.
        """
        files = self.files
        files.card.unlink(missing_ok=True)
        for one in alternatives:
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
        """The card if all phases of the recipe are finished, else None.

        Raises InputError if the folder belongs to another training, or its files are for another
        device or input size.
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
        """Returns the floating-point weights of a finished training.

        ``int8_trained`` selects those of the twin of the INT8 training.
        """
        path = self.files.float_weights(int8_trained=int8_trained)
        weights = read_arrays(path)
        with reading(path):
            require_weights_of(self.candidate.deployed, weights)
        return weights

    def test(self, images: ImageSet) -> ModelQuality:
        """Returns the quality of the INT8 file and its floating-point network on ``images``."""
        from ..training.training_run import float_quality

        finished = self.finished
        assert finished is not None  # run() has returned
        float32 = self.float_weights(int8_trained=is_int8_trained(finished))
        with Worker() as worker:
            evaluator = self.evaluator(worker)
            job = evaluator.job(self.candidate, self.seed)
            int8 = evaluate(evaluator.upscaler(self.files.model.read_bytes()), images)
            return ModelQuality.of(int8, float_quality(job, float32, images))

    def evaluator(self, worker: Worker) -> CandidateEvaluator:
        """Returns an evaluator for the network of this training, which uses ``worker``."""
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
        """Returns the card; if the latency cannot be determined, the card states the reason."""
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
    """Returns whether the kept file of a training was trained with INT8 rounding.

    Raises InputError if the card does not say.
    """
    value = card.training.get("int8_trained")
    if not isinstance(value, bool):
        raise InputError(f"the card of {card.name}: training.int8_trained is {value}, no yes or no")
    return value


class _StepMonitor:
    """After a step, writes a checkpoint if it is due, validates, and stops if interrupted."""

    def __init__(
        self,
        checkpoint: CheckpointFile,
        validation: PeriodicValidation,
        observe: Callable[[Progress], None],
        interrupted: Callable[[], bool],
    ) -> None:
        self._checkpoint, self._validation = checkpoint, validation
        self._observe, self._interrupted = observe, interrupted
        self._trainer: Trainer | None = None

    def begin(self, trainer: Trainer) -> None:
        self._trainer = trainer

    def observe(self, progress: Progress) -> None:
        assert self._trainer is not None  # begin() was called
        self._observe(progress)
        # What follows the last step of a phase may take long, and be interrupted.
        is_last = progress.step == progress.steps
        if is_last or self._checkpoint.is_due or self._interrupted():
            self._checkpoint.write(self._trainer.capture())
        if self._interrupted():
            raise KeyboardInterrupt
        self._validation.observe(self._trainer, progress)
