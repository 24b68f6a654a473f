"""Programs that some tests need and no Python package brings: Chromium and PostgreSQL.

Without one of them its tests are skipped; under ``--require-services`` they fail.
``python -m tests.services`` prints the Debian packages of what is missing.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import pytest

OPTION = "--require-services"
#: The browser to take, and no other.
CHROME_VARIABLE = "CHROME_BIN"
_CHROME_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_CHROME_OF_PLAYWRIGHT = ("chromium-*/*/chrome", "chromium_headless_shell-*/*/*headless?shell")
_POSTGRESQL_FOLDERS = ("lib/postgresql/*/bin", "pgsql-*/bin")
_POSTGRESQL_PROGRAMS = ("initdb", "pg_ctl")


@dataclass(frozen=True)
class Service:
    """One of them: how it is called, its Debian package, and where it may be, best first."""

    name: str
    package: str
    find: Callable[[], list[Path]]

    def require(self, config: pytest.Config) -> list[Path]:
        """Where it is; a test that finds it nowhere is not run."""
        return self.find() or self.miss(config, "is not on this machine")

    def miss(self, config: pytest.Config, reason: str) -> NoReturn:
        """Ends the test that cannot have it."""
        told = f"{self.name} {reason}; apt-get install {self.package}"
        if config.getoption(OPTION):
            pytest.fail(told, pytrace=False)
        pytest.skip(told)


def chromium_programs() -> list[Path]:
    """The one that CHROME_BIN names; else those of the PATH, then those playwright downloaded."""
    if named := os.environ.get(CHROME_VARIABLE):
        return [Path(named)]
    on_path = [Path(found) for name in _CHROME_NAMES if (found := shutil.which(name))]
    caches = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    downloads = Path(os.environ.get("PLAYWRIGHT_BROWSERS_PATH") or Path(caches, "ms-playwright"))
    return on_path + _latest_first(downloads, _CHROME_OF_PLAYWRIGHT)


def postgresql_folders(root: Path = Path("/usr")) -> list[Path]:
    """Folders with a server's programs: that of the PATH, then those of Debian and of Red Hat."""
    on_path = [Path(found).parent for found in [shutil.which(_POSTGRESQL_PROGRAMS[0])] if found]
    return [
        folder
        for folder in on_path + _latest_first(root, _POSTGRESQL_FOLDERS)
        if all((folder / program).exists() for program in _POSTGRESQL_PROGRAMS)
    ]


def _latest_first(root: Path, patterns: tuple[str, ...]) -> list[Path]:
    def version(path: Path) -> list[int]:
        return [int(number) for number in re.findall(r"\d+", str(path.relative_to(root)))]

    return [path for pattern in patterns for path in sorted(root.glob(pattern), key=version)[::-1]]


CHROMIUM = Service(f"Chromium or Chrome (on the PATH, or {CHROME_VARIABLE})", "chromium",
                   chromium_programs)  # fmt: skip
POSTGRESQL = Service("PostgreSQL", "postgresql", postgresql_folders)

if __name__ == "__main__":
    print(*(service.package for service in (CHROMIUM, POSTGRESQL) if not service.find()))
