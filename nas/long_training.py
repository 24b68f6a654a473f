"""Full-length training of one architecture, resumable from its checkpoint after any end."""

from __future__ import annotations

import json
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from latency_models import Worker
from latency_models.device import Device, open_source
from search_spaces import Graph, InputError, InputSpec, NasError, infer, zoo

from .cores import Cores
from .files import reading, write_arrays, write_whole
from .images.data import Data, ImageSet, PatchSampler
from .images.quality import Quality, evaluate
from .images.tiles import require_tiles
from .laboratory import Developed, Laboratory
from .networks.recipe import Recipe
from .signals import deferred_interrupts
from .studies.settings import installed_versions

if TYPE_CHECKING:
    from .networks.initialisation import Array
    from .networks.training import Checkpoint, Progress, Trainer

_CHECKPOINT_SECONDS = 60.0
_CHECKPOINT = "checkpoint.npz"


@dataclass(frozen=True)
class LongTraining:
    """What is to be trained, on what, and where its files go."""

    name: str
    graph: Graph
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
            "graph": self.graph.hash,
            "data": self.data.fingerprint,
            "granularity": self.device.weights,
            "seed": self.seed,
            **recipe,
        }

    def run(self, observe: Callable[[Progress], None]) -> Developed:
        """Trains to the end, from the checkpoint if there is one; writes model, weights, card."""
        # What can be refused is refused before hours of training.
        require_tiles(self.graph, self.input, self.data.validation)
        PatchSampler(self.data.training, self.recipe.batch, self.recipe.patch)
        self.folder.mkdir(parents=True, exist_ok=True)
        with Worker() as worker, deferred_interrupts() as interrupted:
            laboratory = self._laboratory(worker)
            keeper = _Keeper(self, observe, interrupted)
            developed = laboratory.develop(self.graph, self.seed, keeper.observe, keeper.begin)
        write_arrays(self.folder / "weights.npz", developed.trained.int8)
        write_whole(self.folder / "model.tflite", developed.tflite)
        write_whole(self.folder / "card.json", json.dumps(self._card(developed), indent=1).encode())
        (self.folder / _CHECKPOINT).unlink(missing_ok=True)
        return developed

    def test(self, developed: Developed, images: ImageSet) -> tuple[Quality, Quality]:
        """Quality of the INT8 file and of the floating-point twin on other images."""
        with Worker() as worker:
            laboratory = self._laboratory(worker)
            return (
                evaluate(laboratory.upscaler(developed.tflite), images),
                laboratory.quality_of_network(self.graph, developed.trained.float32, images),
            )

    def _laboratory(self, worker: Worker) -> Laboratory:
        return Laboratory(
            source=open_source(self.device, worker),
            worker=worker,
            data=self.data,
            recipe=self.recipe,
            input=self.input,
            granularity=self.device.weights,
            threads=Cores.available().count,
        )

    def _card(self, developed: Developed) -> dict[str, Any]:
        figures = infer(self.graph, self.input)
        return {
            "name": self.name,
            "psnr_db": developed.quality.psnr_db,
            "ssim": developed.quality.ssim,
            "psnr_float_db": developed.float_quality.psnr_db,
            "ssim_float": developed.float_quality.ssim,
            "drop_db": developed.drop_db,
            "data": {"name": self.data.name, "fingerprint": self.data.fingerprint},
            "scale": self.graph.scale,
            "input": str(self.input),
            "levels": "int8 in and out: grey level g is byte g - 128",
            "parameters": figures.parameters,
            "macs": figures.macs,
            "architecture": self.graph.to_json(),
            "training": {**vars(self.recipe), "seed": self.seed},
            "seconds": vars(developed.stages),
            "versions": installed_versions(),
        }


class _Keeper:
    """Writes a checkpoint now and then, and between two steps when the training is interrupted."""

    def __init__(
        self,
        training: LongTraining,
        observe: Callable[[Progress], None],
        interrupted: Callable[[], bool],
    ) -> None:
        self._interrupted = interrupted
        self._path = training.folder / _CHECKPOINT
        self._identity = json.loads(json.dumps(training.identity))
        self._observe = observe
        self._written = time.monotonic()
        self._trainer: Trainer | None = None

    def begin(self, trainer: Trainer) -> None:
        self._trainer = trainer
        if self._path.exists():
            trainer.resume(self._read())

    def observe(self, progress: Progress) -> None:
        self._observe(progress)
        due = time.monotonic() - self._written > _CHECKPOINT_SECONDS
        if self._trainer is not None and (due or self._interrupted()):
            self._write(self._trainer.capture())
            self._written = time.monotonic()
        if self._interrupted():
            raise KeyboardInterrupt

    def _write(self, checkpoint: Checkpoint) -> None:
        groups = {
            "current": checkpoint.current, "forked": checkpoint.forked, "int8": checkpoint.int8,
        }  # fmt: skip
        arrays = {f"{group}|{k}": v for group, values in groups.items() for k, v in values.items()}
        about = {"phase": checkpoint.phase, "step": checkpoint.step, "identity": self._identity}
        write_arrays(self._path, {"about": np.array(json.dumps(about)), **arrays})

    def _read(self) -> Checkpoint:
        from .networks.training import Checkpoint, Phase

        groups: dict[str, dict[str, Array]] = {"current": {}, "forked": {}, "int8": {}}
        try:
            with np.load(self._path, allow_pickle=False) as file:
                about = json.loads(str(file["about"]))
                for key in file.files:
                    group, _, name = key.partition("|")
                    if name:
                        groups[group][name] = file[key]
        except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
            raise NasError(
                f"{self._path}: the checkpoint cannot be read ({error}); delete it to start anew"
            ) from None
        if about["identity"] != self._identity:
            raise InputError(
                f"{self._path} is of another training (network, data, recipe or seed differ); "
                "choose another folder by --out, or delete it"
            )
        return Checkpoint(Phase(about["phase"]), about["step"], **groups)


def find_graph(what: str, scale: int) -> tuple[str, Graph]:
    """``STUDY#TRIAL``, a zoo network's name, or a graph in a JSON file: its name and graph."""
    if what.endswith(".json"):
        return Path(what).stem, _graph_of_file(Path(what))
    study_name, separator, number = what.partition("#")
    if not separator:
        network = zoo.find(what)
        return f"{network.name}-x{scale}", network.build(scale)
    if not number.isdecimal():
        raise InputError(f"{what!r}: after the # comes a trial's number, as in {study_name}#7")
    from .studies.study import load_study

    for record in load_study(study_name).records():
        if record.number == int(number) and record.graph_json is not None:
            return f"{study_name}-{record.number}", record.graph
    raise InputError(f"{what}: the study has no such trial, or it never sampled a network")


def _graph_of_file(path: Path) -> Graph:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: cannot be read as JSON ({error})") from None
    with reading(path):
        # A card holds its graph under "architecture".
        return Graph.from_json(data.get("architecture") if isinstance(data, dict) else data)
