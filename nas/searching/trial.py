"""The four steps of a trial: propose, time, train, record. Each takes and returns plain values.

``trial_runner`` reports their results to Optuna and to the display.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from time import monotonic
from typing import TYPE_CHECKING

from latency_models import Latency, NeverTaken
from search_spaces import Candidate, CandidateError, Figures, Graph, GraphError, infer

from ..choices import Objective, Risk
from ..evaluation.evaluator import CandidateEvaluator, EvaluatedCandidate, candidate_seed
from ..quality.tiles import require_tiles
from ..quality_model.expectation import ExpectedPsnr
from ..studies.folder import WEIGHTS, StudyFolder
from ..studies.record import Result
from ..studies.settings import Settings
from ..system.files import write_arrays, write_whole
from .refusals import (
    Constraint,
    Ended,
    bottleneck,
    duplicate,
    gaps,
    latency_constraints,
    over_budget,
    over_limit,
    too_slow_to_win,
    unsupported,
)
from .stopping import SearchState

if TYPE_CHECKING:
    from ..training.job import Progress


@dataclass(frozen=True)
class Proposal:
    """A network drawn for a trial, with its figures at the study's input size."""

    #: number of the trial
    number: int
    candidate: Candidate
    figures: Figures
    #: whether it is a reference of the study, which is never refused
    is_reference: bool
    #: when the trial began, by the monotonic clock
    started: float


@dataclass(frozen=True)
class Timed:
    """A proposal's latency, before it is trained."""

    latency: Latency
    #: since the trial began
    seconds: float

    def __post_init__(self) -> None:
        _require_not_negative(self.seconds)


@dataclass(frozen=True)
class Trained:
    """A trained network whose INT8 file is evaluated, stored and timed."""

    evaluated: EvaluatedCandidate = field(repr=False)
    latency: Latency
    constraints: tuple[Constraint, ...]
    seed: int
    #: since the trial began
    seconds: float

    def __post_init__(self) -> None:
        _require_not_negative(self.seconds)
        if not self.evaluated.tflite:
            raise ValueError("a trained network has a file")


def _require_not_negative(seconds: float) -> None:
    if not seconds >= 0:
        raise ValueError(f"{seconds} s since the trial began")


def propose(
    number: int,
    draw: Callable[[], Candidate],
    evaluator: CandidateEvaluator,
    announce: Callable[[Proposal], SearchState],
    *,
    is_reference: bool = False,
) -> Proposal | Ended:
    """Draws a network for trial ``number``; ended if it need not, or cannot, be trained.

    ``announce`` shows the proposal to the other workers and returns the search state after that. If
    two workers draw the same network at once, the one with the later trial therefore sees the other
    one's and gives way. Raises CandidateError if the network cannot process the evaluator's input.
    """
    started = monotonic()
    candidate = draw()
    figures = _figures(candidate.deployed, evaluator)
    proposal = Proposal(number, candidate, figures, is_reference, started)
    search = announce(proposal)
    if is_reference:
        return proposal
    return (
        duplicate(number, candidate.hash, search)
        or bottleneck(candidate.graph)
        or gaps(candidate.graph)
        or over_budget(number, figures.macs, search)
        or proposal
    )


def _figures(graph: Graph, evaluator: CandidateEvaluator) -> Figures:
    try:
        figures = infer(graph, evaluator.input)
    except GraphError as error:
        raise CandidateError(str(error)) from None
    require_tiles(graph, evaluator.input, evaluator.data.validation)
    return figures


def time(
    proposal: Proposal,
    evaluator: CandidateEvaluator,
    settings: Settings,
    search: Callable[[], SearchState],
) -> Timed | Ended:
    """Times a proposal before it is trained; ended if its latency rules it out.

    It is also ended if it has become a duplicate meanwhile. ``search`` is called after the network
    was timed, since timing may take long and the search goes on.
    """
    try:
        latency = evaluator.latency(proposal.candidate.deployed)
    except NeverTaken as error:
        return unsupported(error)
    timed = Timed(latency, monotonic() - proposal.started)
    if proposal.is_reference:
        return timed
    limit_ms = settings.max_latency_ms
    ended = over_limit(latency, limit_ms)
    if ended is None:
        state = search()
        # An earlier trial may have drawn the same network after ``propose`` looked for duplicates.
        ended = duplicate(proposal.number, proposal.candidate.hash, state)
        if ended is None and settings.objective is Objective.SCORE:
            ended = too_slow_to_win(latency, state.records, settings.risk, limit_ms)
    return timed if ended is None else replace(ended, latency=latency)


def train(
    proposal: Proposal,
    timed: Timed,
    evaluator: CandidateEvaluator,
    settings: Settings,
    folder: StudyFolder,
    observe: Callable[[Progress], None],
) -> Trained | Ended:
    """Trains a network, and stores its weights and its INT8 file.

    The file is timed again if the latency depends on the weights; ended if it is now slower than
    the study allows.
    """
    candidate, limit_ms = proposal.candidate, settings.max_latency_ms
    seed = candidate_seed(settings.seed, candidate.hash)
    evaluated = evaluator.evaluate(candidate, seed, observe)
    write_arrays(folder.model(candidate.hash) / WEIGHTS, evaluated.training.int8)
    write_whole(folder.tflite(candidate.hash), evaluated.tflite)
    latency, constraints = timed.latency, tuple[Constraint, ...]()
    if evaluator.source.reads_weights:
        latency = evaluator.latency_of_file(candidate.deployed, evaluated.tflite)
    if not proposal.is_reference:
        ended = over_limit(latency, limit_ms)
        if ended is not None:
            return ended
        constraints = latency_constraints(latency, limit_ms)
    return Trained(evaluated, latency, constraints, seed, monotonic() - proposal.started)


def record(
    proposal: Proposal, timed: Timed, trained: Trained, expected: ExpectedPsnr, risk: Risk
) -> Result:
    """Returns the result that the study stores of a trained network."""
    evaluated = trained.evaluated
    seconds = {"latency": timed.seconds, **vars(evaluated.stages), "total": trained.seconds}
    return Result(
        quality=evaluated.means,
        expected=expected,
        latency=trained.latency,
        macs=proposal.figures.macs,
        parameters=proposal.figures.parameters,
        tflite_kb=len(evaluated.tflite) / 1000,
        seed=trained.seed,
        risk=risk,
        seconds={name: round(value, 3) for name, value in seconds.items()},
    )
