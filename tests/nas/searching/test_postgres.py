"""A study that machines share, in a real PostgreSQL server."""

from __future__ import annotations

from pathlib import Path

import pytest

from nas.studies.folder import MODEL
from nas.studies.models import bring_model
from nas.studies.proxy_server import serving
from nas.studies.study import load_study

from ..commands import QUICK, SMALL, run, run_json, start

OPTIONS = (*SMALL, *QUICK, "--no-baselines", "--sampler", "random")


def test_searches_and_workers_on_several_machines_share_one_budget(
    postgres: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Folders stand for machines: they share the database, and a place for models.

    Two searches make the study at the same moment, and a worker comes later, by way of a proxy.
    """
    places = [tmp_path / name for name in ("here", "there", "elsewhere")]
    for place in places:
        place.mkdir()
    shared = ("--storage", postgres, "--study", "p")
    search = ("--budget", "4", "--artifacts", str(tmp_path / "models"), *OPTIONS)
    begun = [start(place, "search", *shared, *search) for place in places[:2]]
    first = begun[0]
    while "study p:" not in (first.stderr.readline() if first.stderr else "study p:"):
        assert first.poll() is None
    with serving(postgres, "127.0.0.1", 0) as (_, address):
        begun.append(start(places[2], "worker", "--storage", f"grpc://{address}", "--study", "p"))
        messages = [process.communicate(timeout=600)[1] for process in begun]
    print(*messages)
    assert [process.returncode for process in begun] == [0, 0, 0]
    answer = run_json(places[0], "status", "p", "--storage", postgres)
    assert answer["trained"] == 4
    assert answer["running"] == 0
    # Those of the front are on every machine that wrote it down.
    models = {path.name for place in places for path in place.glob("studies/p/models/*")}
    assert len(models) == 4
    assert run(places[0], "pareto", "p", "--storage", postgres)
    monkeypatch.chdir(places[0])
    study = load_study("p", postgres)
    for record in study.trained():
        assert (bring_model(study, record) / MODEL).is_file()
