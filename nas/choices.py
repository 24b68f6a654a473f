"""Options with a fixed set of values."""

from __future__ import annotations

from enum import StrEnum


class Objective(StrEnum):
    """The objective of a search: the challenge score, or the Pareto front of PSNR and runtime."""

    SCORE = "score"
    PARETO = "pareto"


class Risk(StrEnum):
    """The time that the score uses for a predicted latency (see ``quality.score``).

    It is the mean over the latency's interval, the prediction, or the interval's upper end.
    """

    MEAN = "mean"
    POINT = "point"
    UPPER = "upper"


class SamplerKind(StrEnum):
    """The algorithm that proposes candidates."""

    SURROGATE = "surrogate"
    TPE = "tpe"
    NSGA2 = "nsga2"
    RANDOM = "random"


class Loss(StrEnum):
    """The loss of training: the mean absolute error, or its smooth form."""

    L1 = "l1"
    CHARBONNIER = "charbonnier"


class RecipeName(StrEnum):
    """The training recipe: the short one for candidates of a search, or the full one."""

    PROXY = "proxy"
    FULL = "full"


class Precision(StrEnum):
    """The number format of convolutions in training."""

    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"


class Quantization(StrEnum):
    """How a network becomes INT8: after training (``ptq``), or with additional training (``qat``).

    The additional steps train with INT8 rounding. ``auto`` adds them if rounding after training
    costs more than 0.05 dB.
    """

    AUTO = "auto"
    QAT = "qat"
    PTQ = "ptq"
