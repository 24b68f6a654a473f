"""Networks that are drawn again by the choices that a study has kept of them."""

from __future__ import annotations

import random

import optuna
import pytest

from nas.sampling.replay import draw
from search_spaces import Candidate, GraphError
from search_spaces.spaces.loading import load_space


@pytest.mark.parametrize("name", ["anchor", "mobile"])
def test_what_a_database_has_kept_draws_the_same_network(name: str) -> None:
    """It gives plain values back, whatever the space has chosen from."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    space, drawn = load_space(name), dict[int, Candidate]()
    study = optuna.create_study(
        storage="sqlite:///:memory:", sampler=optuna.samplers.RandomSampler(seed=0)
    )

    def objective(trial: optuna.Trial) -> float:
        drawn[trial.number] = space.draw(trial, 3)
        return 0.0

    study.optimize(objective, n_trials=10, catch=GraphError)
    assert len(drawn) > 3
    for number, candidate in drawn.items():
        again = draw(space, 3, random.Random(1), study.get_trials()[number].params)
        assert again.candidate.hash == candidate.hash
