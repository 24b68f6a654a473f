"""A study that machines share, in a real PostgreSQL server."""

from __future__ import annotations

from pathlib import Path

from ..commands import QUICK, SMALL, run, run_json, start

OPTIONS = (*SMALL, *QUICK, "--no-baselines", "--sampler", "random")


def test_workers_on_two_machines_share_one_budget(postgres: str, tmp_path: Path) -> None:
    """Two folders stand for two machines: they share nothing but the database."""
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    shared = ("--storage", postgres, "--study", "p")
    first = start(here, "search", *shared, "--budget", "4", *OPTIONS)
    while "study p:" not in (first.stderr.readline() if first.stderr else "study p:"):
        assert first.poll() is None
    second = start(there, "worker", *shared)
    messages = [process.communicate(timeout=600)[1] for process in (first, second)]
    print(*messages)
    assert (first.returncode, second.returncode) == (0, 0)
    answer = run_json(here, "status", "p", "--storage", postgres)
    assert answer["trained"] == 4
    assert answer["running"] == 0
    models = [len(list(place.glob("studies/p/models/*"))) for place in (here, there)]
    assert sum(models) == 4
    assert run(here, "pareto", "p", "--storage", postgres)
