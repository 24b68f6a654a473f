"""The options that are one of a few words."""

from __future__ import annotations

from enum import StrEnum


class Objective(StrEnum):
    """What is optimised: the challenge score, or PSNR and runtime side by side."""

    SCORE = "score"
    PARETO = "pareto"


class SamplerKind(StrEnum):
    """How candidates are proposed."""

    TPE = "tpe"
    NSGA2 = "nsga2"
    RANDOM = "random"


class Quantization(StrEnum):
    """When INT8 rounding comes in: during training, or after it."""

    QAT = "qat"
    PTQ = "ptq"
