"""The options that are one of a few words."""

from __future__ import annotations

from enum import StrEnum


class Objective(StrEnum):
    """What is optimized: the challenge score, or PSNR and runtime side by side."""

    SCORE = "score"
    PARETO = "pareto"


class Risk(StrEnum):
    """Which time the score counts of a latency that is predicted (see ``quality.score``).

    Its mean over the interval, the prediction itself, or the interval's upper end.
    """

    MEAN = "mean"
    POINT = "point"
    UPPER = "upper"


class SamplerKind(StrEnum):
    """How candidates are proposed."""

    SURROGATE = "surrogate"
    TPE = "tpe"
    NSGA2 = "nsga2"
    RANDOM = "random"


class Loss(StrEnum):
    """What training minimizes: mean absolute error, or its smooth form."""

    L1 = "l1"
    CHARBONNIER = "charbonnier"


class RecipeName(StrEnum):
    """How a network is trained: as a candidate of a search is, or to be shipped."""

    PROXY = "proxy"
    FULL = "full"


class Precision(StrEnum):
    """What convolutions are trained in."""

    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"


class Quantization(StrEnum):
    """When INT8 rounding comes in: after training, or in steps of training of its own as well.

    ``auto`` adds those steps where rounding afterwards costs more than 0.05 dB.
    """

    AUTO = "auto"
    QAT = "qat"
    PTQ = "ptq"
