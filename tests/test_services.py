"""What tests need besides Python is found wherever it is; where it is not, that is told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from .services import CHROMIUM, POSTGRESQL, Service, postgresql_folders


def program(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(0o700)
    return path


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without either: its home, and its PATH in ``bin``."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    for name in ("CHROME_BIN", "PLAYWRIGHT_BROWSERS_PATH", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.mark.parametrize(
    "place",
    [
        "bin/chromium",
        "bin/chromium-browser",
        "bin/google-chrome",
        "bin/google-chrome-stable",
        ".cache/ms-playwright/chromium-1200/chrome-linux64/chrome",
        ".cache/ms-playwright/chromium_headless_shell-1200/chrome-linux/headless_shell",
    ],
)
def test_a_browser_is_found_wherever_it_is(bare: Path, place: str) -> None:
    assert CHROMIUM.find() == []
    found = program(bare / place)
    assert CHROMIUM.find() == [found]


def test_the_browser_that_the_environment_names_is_the_only_one(
    bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(bare / "bin/chromium")
    monkeypatch.setenv("CHROME_BIN", "/opt/mine")
    assert CHROMIUM.find() == [Path("/opt/mine")]


def test_the_latest_download_is_tried_first(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLAYWRIGHT_BROWSERS_PATH", str(bare / "there"))
    older, later = (
        program(bare / f"there/chromium-{number}/chrome-linux/chrome") for number in (999, 1200)
    )
    assert CHROMIUM.find() == [later, older]


def test_the_latest_server_is_taken_but_for_that_of_the_path(bare: Path) -> None:
    expected = [bare / name for name in (
        "bin", "lib/postgresql/15/bin", "lib/postgresql/9.6/bin", "pgsql-17/bin",
    )]  # fmt: skip
    for folder in expected:
        program(folder / "initdb")
    assert postgresql_folders(bare) == []  # a client's tools are no server
    for folder in expected:
        program(folder / "pg_ctl")
    assert postgresql_folders(bare) == expected


@pytest.mark.parametrize("service", [CHROMIUM, POSTGRESQL], ids=lambda service: service.package)
@pytest.mark.parametrize("required", [False, True])
def test_without_it_a_test_is_skipped_or_where_it_is_required_fails(
    pytestconfig: pytest.Config, monkeypatch: pytest.MonkeyPatch, service: Service, required: bool
) -> None:
    monkeypatch.setattr(pytestconfig.option, "require_services", required)
    ending = pytest.fail.Exception if required else pytest.skip.Exception
    with pytest.raises(ending, match=f"apt-get install {service.package}"):
        replace(service, find=list).require(pytestconfig)
