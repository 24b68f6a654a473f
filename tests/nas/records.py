"""Trial records for tests of what reads them."""

from __future__ import annotations

from latency_models import Latency
from nas.choices import Risk
from nas.quality_model.expectation import ExpectedPsnr
from nas.studies.record import Outcome, Result, TrialRecord
from tests.nas.qualities import model_quality


def predicted(low_ms: float, ms: float, high_ms: float) -> Latency:
    return Latency(ms, low_ms, high_ms, (), (), "regression")


def make_result(
    psnr_db: float = 29.0,
    ms: float = 30.0,
    macs: int = 10**9,
    latency: Latency | None = None,
    risk: Risk = Risk.MEAN,
) -> Result:
    latency = latency or Latency(ms, ms, ms, (), (), "test")
    return Result(
        quality=model_quality(psnr_db), expected=ExpectedPsnr(psnr_db, psnr_db, psnr_db),
        latency=latency,
        macs=macs, parameters=1000, tflite_kb=10.0, seed=1, risk=risk,
        seconds={"total": macs / 1e8},
    )  # fmt: skip


def make_record(
    number: int,
    outcome: Outcome | None = Outcome.TRAINED,
    *,
    result: Result | None = None,
    baseline: str | None = None,
    running: bool = False,
    waiting: bool = False,
) -> TrialRecord:
    complete = outcome is Outcome.TRAINED
    return TrialRecord(
        number=number, running=running, waiting=waiting, complete=complete, baseline=baseline,
        outcome=outcome, reason="because", candidate=f"{number:016x}", architecture=None,
        result=(result or make_result()) if complete else None,
    )  # fmt: skip
