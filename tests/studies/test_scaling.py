"""What studies/scaling does at length, in little: workers killed, the server restarted."""

from __future__ import annotations

from pathlib import Path

from studies.scaling.crowd import Crowd, measure_survival

from ..nas.postgres import PostgresServer, postgres, postgres_server

__all__ = ["postgres", "postgres_server"]


def test_nothing_is_lost_or_doubled(postgres_server: PostgresServer, tmp_path: Path) -> None:
    def restart() -> None:
        postgres_server.stop()
        postgres_server.start()

    # Long enough for a kill between two trainings, however fast the rest is.
    crowd = Crowd(tmp_path, "killed", postgres_server.url, seconds=1.0, apart=False)
    done = measure_survival(
        crowd, "PostgreSQL", workers=2, trials=4, kill_every=1.0, restart=restart
    )
    assert done.trained == 4
    assert done.killed
    assert done.lost == done.doubled == done.left_over == 0
