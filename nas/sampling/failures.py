"""Estimates from a study's failed trials which networks can be trained at all.

A space may contain networks that cannot be trained although they can be drawn, for example because
a combination of operators has no INT8 form. The prediction of a network's PSNR knows nothing of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from .replay import Choices, values_of


def success_probabilities(
    options: Sequence[Choices], trained: Iterable[Choices], failed: Iterable[Choices]
) -> npt.NDArray[np.float64]:
    """Returns for each option the estimated probability that its training does not fail.

    The cause of a failure is assumed to be one of the values that a network is drawn with. A value
    with s trained and f failed networks has the probability (s + 1) / (s + f + 1), and an option
    has that of its least reliable value; 1 if none of its values has failed.
    """
    successes, failures = _counts(trained), _counts(failed)

    def probability(value: tuple[str, Any]) -> float:
        reached = successes[value] + 1
        return reached / (reached + failures[value])

    return np.array(
        [min(map(probability, values_of(choices).items()), default=1.0) for choices in options]
    )


def _counts(networks: Iterable[Choices]) -> Counter[tuple[str, Any]]:
    """Returns the number of networks that were drawn with each value of each parameter."""
    return Counter(item for choices in networks for item in values_of(choices).items())
