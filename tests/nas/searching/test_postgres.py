"""A study that machines share, in a real PostgreSQL server."""

from __future__ import annotations

from pathlib import Path

from ..commands import QUICK, SMALL, run, run_json, start

OPTIONS = (*SMALL, *QUICK, "--no-baselines", "--sampler", "random")


def test_searches_and_workers_on_several_machines_share_one_budget(
    postgres: str, tmp_path: Path
) -> None:
    """Folders stand for machines: they share nothing but the database.

    Two searches make the study at the same moment, and a worker comes later.
    """
    places = [tmp_path / name for name in ("here", "there", "elsewhere")]
    for place in places:
        place.mkdir()
    shared = ("--storage", postgres, "--study", "p")
    begun = [start(place, "search", *shared, "--budget", "4", *OPTIONS) for place in places[:2]]
    first = begun[0]
    while "study p:" not in (first.stderr.readline() if first.stderr else "study p:"):
        assert first.poll() is None
    begun.append(start(places[2], "worker", *shared))
    messages = [process.communicate(timeout=600)[1] for process in begun]
    print(*messages)
    assert [process.returncode for process in begun] == [0, 0, 0]
    answer = run_json(places[0], "status", "p", "--storage", postgres)
    assert answer["trained"] == 4
    assert answer["running"] == 0
    models = [len(list(place.glob("studies/p/models/*"))) for place in places]
    assert sum(models) == 4
    assert run(places[0], "pareto", "p", "--storage", postgres)
