"""Runs searches, and makes findings, reports and exports from their studies."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from optuna.samplers import BaseSampler

from latency_models import Worker
from latency_models.device import Device, find_device
from search_spaces import InputError, InputSpec
from search_spaces.spaces.space import Space

from ..choices import Objective, Precision, Quantization, Risk, SamplerKind
from ..data.arrays import DataSource, split_source
from ..exporting.export import Export
from ..exporting.models import ExportedModel
from ..exporting.source import find_sources
from ..reporting.report import Written, write_report
from ..searching.objects import Callback, SearchObjects
from ..searching.run import SearchOutcome, run_search
from ..studies import results
from ..studies.options import SearchOptions
from ..studies.results import ParetoPoint
from ..studies.study import Study
from ..studies.study import load_study as _load_study
from .arguments import DeviceSource, SpaceSource, argument_text


def search(
    budget: str,
    *,
    space: SpaceSource | None = None,
    device: DeviceSource | None = None,
    data: DataSource | None = None,
    study: str | None = None,
    folder: str | Path | None = None,
    sampler: SamplerKind | str | BaseSampler | None = None,
    callbacks: Sequence[Callback] = (),
    input: str | None = None,
    scale: int | None = None,
    objective: Objective | str | None = None,
    risk: Risk | str | None = None,
    quantize: Quantization | str | None = None,
    max_latency_ms: float | None = None,
    confirm: str | None = None,
    seed: int | None = None,
    trial_seconds: float | None = None,
    steps: int | None = None,
    precision: Precision | str | None = None,
    baselines: bool | None = None,
    warm_from: str | Path | Sequence[str | Path] | None = None,
    workers: int = 1,
    storage: str | None = None,
    artifacts: str | Path | None = None,
    catch_interrupt: bool = False,
) -> SearchOutcome:
    """Searches a space for the best INT8 networks; the same call continues its study.

    Arguments:
        budget: total of the study: a time "30m", "50" trained trials, or the first of both,
            "50,2h".
        space: a name, a FILE.py, or a function ``sample(trial)`` or ``sample(trial, scale)`` that
            returns a ``Graph`` or a ``Candidate``.
        device: a name, a folder, "adb:SERIAL", or a ``Device``.
        data: a folder of photographs, "embedded", ``nas.Images``, or HR arrays, uint8 (H, W, 3), of
            which every tenth is held out. Arrays are kept in the study's folder as PNG files.
        study: name of the study; its files go to ./studies/STUDY.
        folder: another folder for the study, whose name becomes the study's.
        sampler: "surrogate", "tpe", "nsga2", "random", or a sampler object, Optuna's or your own;
            it sees candidates, but no reference trials.
        callbacks: called as ``callback(study, record)`` after each trial, however it ended, in
            this process; ``study.stop()`` in one ends the search.
        input: the LR size in pixels, "360x640".
        scale: 2, 3 or 4.
        objective: "score", or "pareto" for PSNR and runtime as two objectives.
        risk: which time enters the score where latencies are predictions: "mean" over the interval,
            "point", the prediction itself, or "upper", the upper end of the interval.
        quantize: "auto", "qat" or "ptq".
        max_latency_ms: slower networks are not trained.
        confirm: a device that measures the best networks, where the latencies are predictions.
        seed: seed of the study.
        trial_seconds: sets ``steps`` to the gradient steps that ABPN makes in this time.
        steps: gradient steps of each candidate.
        precision: number format that convolutions are trained in, "float32" or "bfloat16".
        baselines: whether ABPN and XLSR are trained for comparison.
        warm_from: studies, by name or folder, whose trained networks the sampler "surrogate" knows
            from the start; they may be of any device, space and images, but of the same scale.
        workers: 1 searches in this process; more are processes that share its cores, and
            arguments must then be names and files, not objects.
        storage: URL of a database that replaces the file in the folder.
        artifacts: a folder, or "s3://BUCKET/PREFIX", for models, so that every machine can export.
        catch_interrupt: whether Ctrl-C ends the search and returns what it has found. Otherwise
            KeyboardInterrupt is raised once all results are written.

    An argument of None takes the value that the study was created with, or the default in ``nas
    search --help``. Progress goes to standard error.

    Returns the study and its Pareto front, best score first, where the score is 2^(2 PSNR) / (C ms)
    of the Mobile AI 2021 report (arXiv:2105.07825, section 2.5), on the study's own images. The
    result's ``best`` is the first of the front, and ``folder`` is the study's; ``path`` of each
    network is its INT8 TFLite file.

    Raises InputError if an argument is wrong or differs from what the study was created with.
    Objects are compared by fingerprints: of a space's networks, a device's settings, and images'
    pixels.

    Example::

        outcome = nas.search("30m", space=sample, device="vs680", study="first")
        print(outcome.best.path)

    """
    space_name, space_object = _split_space(space)
    device_name, device_object = _split_device(device)
    data_name, images = (None, None) if data is None else split_source(data)
    is_object = isinstance(sampler, BaseSampler)
    options = SearchOptions.of(
        {
            "budget": budget,
            "study": _study_name(study, folder),
            "space": space_name,
            "device": device_name,
            "data": data_name,
            "sampler": None if is_object else sampler,
            "input": input,
            "scale": scale,
            "objective": objective,
            "risk": risk,
            "quantize": quantize,
            "max_latency_ms": max_latency_ms,
            "confirm": confirm,
            "seed": seed,
            "trial_seconds": trial_seconds,
            "steps": steps,
            "precision": precision,
            "baselines": baselines,
            "warm_from": _study_names(warm_from),
            "workers": workers,
            "storage": storage,
            "artifacts": None if artifacts is None else str(artifacts),
        }
    )
    objects = SearchObjects(
        space=space_object,
        device=device_object,
        images=images,
        sampler=sampler if isinstance(sampler, BaseSampler) else None,
        callbacks=_callbacks(callbacks),
        folder=None if folder is None else Path(folder),
    )
    return run_search(options, objects, in_this_process=True, catch_interrupt=catch_interrupt)


def load_study(name: str | Path, storage: str | None = None) -> Study:
    """Opens the study ``./studies/NAME``, the study in a folder, or one of a shared database.

    ``records()`` of the study are its trials with their results, PSNR in dB and runtimes in ms;
    ``nas.findings`` returns its Pareto front.

    Raises InputError, which lists the existing studies, if there is no such study; NasError if its
    database is damaged or out of reach.

    Example::

        study = nas.load_study("first")
        print(len(study.trained()), study.folder.path)
    """
    return _load_study(argument_text(name), storage)


def findings(study: Study) -> tuple[ParetoPoint, ...]:
    """Returns the Pareto front of a study, best score first.

    ``path`` of each point is its INT8 TFLite file.

    Raises NasError if the study's database is damaged or out of reach.

    Example::

        for finding in nas.findings(nas.load_study("first")):
            print(finding.trial, finding.result.psnr_db, finding.result.latency.ms, finding.path)
    """
    if not isinstance(study, Study):
        raise InputError(f"study {study!r}: give what nas.load_study or a search returned")
    return results.findings(study)


def report(
    study: str | Path | Study,
    to: str | Path | None = None,
    *,
    storage: str | None = None,
    observe: Callable[[int, int], None] = lambda done, total: None,
) -> Written:
    """Writes one HTML file about a study with its front, pictures and all trials.

    ``study`` is a name, a folder, or a study from ``load_study`` or a search; ``to`` is the file
    (default: report.html in the study's folder). ``observe`` is called with the number of
    photographs done and their total. ``path`` of the result is the file. Without the images or the
    models the file has no pictures, and ``no_pictures`` of the result says why.

    Raises InputError if there is no such study, or ``to`` is a folder.

    Example::

        print(nas.report("first").path)
    """
    opened = study if isinstance(study, Study) else load_study(study, storage)
    return write_report(opened, None if to is None else Path(to), observe)


@dataclass(frozen=True)
class Exported:
    """The files that an export wrote, and notes on what it had to leave out, and why."""

    files: tuple[Path, ...]
    notes: tuple[str, ...]


def export(
    what: str | Path,
    to: str | Path,
    *,
    input: str | Sequence[str] | None = None,
    data: str | Path | None = None,
    storage: str | None = None,
    observe: Callable[[ExportedModel], None] = lambda model: None,
) -> Exported:
    """Writes a folder for app developers; ``files`` of the result lists its files.

    The folder holds INT8 models, with int8 and with uint8 input and output, for any size; weights,
    card, example and commands. Each model is evaluated again. ``what`` is "STUDY" for its Pareto
    front, "STUDY#TRIAL", or a folder of ``train``; ``input`` are LR sizes, "360x640" (default: the
    size that the model was evaluated at); ``data`` is the present folder of the images that it was
    evaluated on. ``observe`` is called with each model after its evaluation.

    Raises InputError if ``to`` holds other files or the images differ from those of the card,
    CandidateError if a model is worse than its card says.

    Example::

        nas.export("first#7", "for-the-phone", input=["360x640", "720x1280"]).files
    """
    texts = input.split(",") if isinstance(input, str) else input or ()
    sizes = tuple(dict.fromkeys(InputSpec.parse(text) for text in texts))
    sources = find_sources(argument_text(what), storage)
    with Worker() as worker:
        exporter = Export(sizes, None if data is None else argument_text(data))
        files = exporter.run(sources, Path(to), worker, observe)
    notes = dict.fromkeys(note for source in sources for note in source.notes)
    return Exported(tuple(files), tuple(notes))


def _study_name(study: str | None, folder: str | Path | None) -> str | None:
    """Returns the study's name; raises InputError if it differs from that of its folder."""
    name = None if folder is None else Path(folder).name
    if study is not None and name is not None and study != name:
        raise InputError(
            f"study {study!r} in folder {folder}: a folder's name is its study's; leave one out"
        )
    return study or name


def _callbacks(given: Sequence[Callback]) -> tuple[Callback, ...]:
    """Raises InputError if one of the callbacks cannot be called."""
    if not isinstance(given, Iterable) or not all(map(callable, listed := tuple(given))):
        raise InputError(f"callbacks {given!r}: give a list of functions callback(study, record)")
    return listed


def _study_names(studies: str | Path | Sequence[str | Path] | None) -> list[str] | None:
    if studies is None:
        return None
    listed = [studies] if isinstance(studies, str | Path) else studies
    if not isinstance(listed, Iterable):
        raise InputError(f"warm_from {studies!r}: give the name or the folder of a study, or some")
    return [argument_text(study) for study in listed]


def _split_space(source: SpaceSource | None) -> tuple[str | None, Space | None]:
    """Returns a space's name or file if one was given, else the space as an object."""
    if source is None or isinstance(source, str | Path):
        return (None if source is None else argument_text(source)), None
    if isinstance(source, Space):
        return None, source
    if not callable(source):
        raise InputError(f"space {source!r}: give a name, a FILE.py or a function sample(trial)")
    return None, Space.of_function(source)


def _split_device(source: DeviceSource | None) -> tuple[str | None, Device | None]:
    """Returns a device's name or folder, or the device object if it differs from its folder."""
    if source is None or isinstance(source, str | Path):
        return (None if source is None else argument_text(source)), None
    if not isinstance(source, Device):
        raise InputError(f"device {source!r}: give a name, a folder, or what load_device returns")
    found = find_device(source.reference, source.name)
    if found is not None and found.fingerprint == source.fingerprint:
        return source.reference, None
    return None, source
