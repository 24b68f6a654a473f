"""The browser of these tests, where those of the machine are of no use."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Playwright

from .browser import start_chromium


def test_one_that_does_not_start_is_as_good_as_none(
    playwright: Playwright,
    pytestconfig: pytest.Config,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Ubuntu's chromium-browser only says how to install a snap."""
    stub = tmp_path / "chromium-browser"
    stub.write_text("#!/bin/sh\nexit 1\n")
    stub.chmod(0o700)
    monkeypatch.setenv("CHROME_BIN", str(stub))
    monkeypatch.setattr(pytestconfig.option, "require_services", False)
    with pytest.raises(pytest.skip.Exception, match=str(stub)):
        start_chromium(playwright, pytestconfig, tmp_path)
