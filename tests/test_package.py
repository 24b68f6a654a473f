"""What is installed, and what is not."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("nas", "search_spaces", "latency_models")


MOST_BYTES = 10_000_000


@pytest.fixture(scope="module")
def wheel_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    for name in (*PACKAGES, "pyproject.toml", "README.md", "LICENSE"):
        # A copy: setuptools leaves its build folder where it works.
        subprocess.run(["cp", "-r", str(ROOT / name), str(source)], check=True)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps"]
    subprocess.run(
        [*command, "--no-build-isolation", "--wheel-dir", str(folder), str(source)], check=True
    )
    (file,) = folder.glob("npu_nas-*.whl")
    return file


@pytest.fixture(scope="module")
def wheel(wheel_file: Path) -> list[str]:
    """Names of the files in the wheel."""
    return zipfile.ZipFile(wheel_file).namelist()


def test_the_wheel_holds_the_three_packages_and_nothing_else(wheel: list[str]) -> None:
    tops = {name.split("/")[0] for name in wheel if ".dist-info" not in name}
    assert tops == set(PACKAGES)
    modules = {
        str(path.relative_to(ROOT))
        for top in tops
        for ending in ("py", "pyi")
        for path in (ROOT / top).rglob(f"*.{ending}")
    }
    assert modules <= set(wheel)


def test_the_wheel_holds_every_device_with_its_card(wheel: list[str]) -> None:
    devices = [path.name for path in (ROOT / "latency_models/devices").iterdir() if path.is_dir()]
    assert len(devices) >= 5
    for part in ("page.html", "style.css", "page.js"):
        assert f"nas/reporting/{part}" in wheel
    for device in devices:
        assert f"latency_models/devices/{device}/device.toml" in wheel
        assert f"latency_models/devices/{device}/README.md" in wheel


def test_the_wheel_holds_every_shipped_model_and_is_small(
    wheel: list[str], wheel_file: Path
) -> None:
    there = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "nas/shipped/models").rglob("*")
        if path.is_file()
    }
    assert "nas/shipped/models/README.md" in there
    assert there == {name for name in wheel if name.startswith("nas/shipped/models/")}
    assert wheel_file.stat().st_size < MOST_BYTES


def test_no_file_is_longer_than_a_person_reads_at_once() -> None:
    for top in ("nas", "search_spaces", "latency_models", "studies", "tests"):
        for path in (ROOT / top).rglob("*.py"):
            assert len(path.read_text(encoding="utf-8").splitlines()) <= 400, path
