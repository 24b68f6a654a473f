"""The command line: what is there, what ``--json`` promises, and what is imported for it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nas.data.images import write_image
from search_spaces import zoo

from .commands import ROOT, run, run_json
from .console import write_photos
from .tiny_model import SIDE, make_tflite


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model and two photographs."""
    folder = tmp_path_factory.mktemp("cli")
    (folder / "m.tflite").write_bytes(make_tflite())
    (folder / "photos").mkdir()
    random = np.random.default_rng(0)
    for index in range(2):
        pixels = random.integers(0, 256, (120, 101, 3), np.uint8)
        write_image(folder / f"photos/{index}.png", pixels)
    return folder


@pytest.mark.parametrize(
    ("words", "commands"),
    [
        ((), "search worker status pareto export train evaluate upscale doctor zoo latency"),
        (("zoo",), "list show"),
        (("latency",), "devices predict measure"),
    ],
)
def test_help_lists_the_commands(place: Path, words: tuple[str, ...], commands: str) -> None:
    text = run(place, *words, "--help")
    listed = re.findall(r"^  ([a-z]+)  ", text, re.MULTILINE)
    assert set(commands.split()) <= set(listed)


@pytest.mark.parametrize("group", ["", "space", "zoo", "models", "latency", "quality", "data"])
def test_help_cuts_no_summary_of_a_command(place: Path, group: str) -> None:
    summaries = run(place, *group.split(), "--help").partition("Commands:")[2].splitlines()
    assert len(summaries) > 1
    assert [line for line in summaries if line.endswith("...")] == []


def test_the_version_is_the_distributions(place: Path) -> None:
    assert run(place, "--version") == f"nas {version('npu-nas')}\n"


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys; sys.argv = ['nas', '--help']\n"
        "import nas.cli\n"
        "try: nas.cli.main()\n"
        "except SystemExit: pass\n"
        "heavy = ('tensorflow', 'optuna', 'sqlalchemy', 'pydantic', 'numpy', 'PIL', 'skimage',\n"
        "         'search_spaces.graph.graph')\n"
        "print([name for name in heavy if name in sys.modules], file=sys.stderr)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert result.stderr == "[]\n"


def test_evaluate_as_json(place: Path) -> None:
    answer = run_json(place, "evaluate", "m.tflite", "--data", "photos")
    assert set(answer) >= {"psnr_db", "ssim", "images"}
    assert [image["name"] for image in answer["images"]] == ["0.png", "1.png"]
    mean = sum(image["psnr_db"] for image in answer["images"]) / 2
    assert answer["psnr_db"] == pytest.approx(mean)


@pytest.mark.parametrize(
    ("command", "device", "source"),
    [("predict", "ethos-u65-512", "vela 5.2"), ("measure", "host", "host")],
)
def test_a_latency_as_json(place: Path, command: str, device: str, source: str) -> None:
    answer = run_json(place, "latency", command, "m.tflite", "--device", device)
    keys = {"device", "source", "ms", "low_ms", "high_ms", "operators", "on_cpu"}
    assert set(answer) >= keys
    assert answer["device"] == device
    assert answer["source"].startswith(source)
    assert 0 < answer["low_ms"] <= answer["ms"] <= answer["high_ms"]
    [row] = answer["operators"]
    assert set(row) >= {"name", "kind", "engine", "ms"}
    assert row["kind"] == "RESIZE_NEAREST_NEIGHBOR"


def test_the_devices(place: Path) -> None:
    rows = run_json(place, "latency", "devices")
    assert {"host", "ethos-u85-1024"} <= {row["name"] for row in rows}
    table = run(place, "latency", "devices")
    assert all(row["name"] in table for row in rows)


def test_the_zoo_as_json(place: Path) -> None:
    rows = run_json(place, "zoo", "list")
    assert [row["name"] for row in rows] == [network.name for network in zoo.ZOO]
    for row in rows:
        assert set(row) >= {"name", "params", "macs", "source", "published"}
        assert 0 < row["params"] < row["macs"]


def test_a_zoo_network_goes_through_a_file_into_training(place: Path) -> None:
    (place / "mine.json").write_text(run(place, "zoo", "show", "ABPN", "--scale", "2", "--json"))
    for name, side in (("A", 90), ("B", 70)):
        (place / name).mkdir()
        write_photos(place / name / "HR", 1, side)
    write_image(place / "B/HR/line.png", np.zeros((1, 300, 3), np.uint8))
    rows = run_json(
        place, "train", "mine.json", "--data", "photos", "--steps", "10", "--batch", "1",
        "--patch", "8", "--device", "ethos-u65-512", "--recipe", "proxy", "--loss", "charbonnier",
        "--test", "A/HR", "--test", "B/HR",
    )  # fmt: skip
    assert set(rows[0]) >= {"data", "psnr_db", "psnr_float_db", "ssim"}
    assert [row["data"] for row in rows] == ["validation", "A/HR", "B/HR"]
    assert rows[1]["psnr_db"] != rows[2]["psnr_db"]
    assert [item["name"] for item in rows[2]["skipped"]] == ["line.png"]
    card = json.loads((place / "trained/mine/card.json").read_text())
    assert card["architecture"] == zoo.find("abpn").build(2).to_json()
    assert (card["training"]["steps"], card["training"]["loss"]) == (10, "charbonnier")
    words = ("latency", "predict", "trained/mine/model.tflite", "--device", "ethos-u65-512")
    said = run_json(place, *words)
    assert card["device"] == said["device"]
    for key in ("ms", "low_ms", "high_ms", "source"):
        assert card["latency"][key] == pytest.approx(said[key])
    assert sorted(path.name for path in (place / "trained/mine").iterdir()) == [
        ".lock", "card.json", "float.npz", "model.tflite", "other.tflite", "training.json",
        "twin.npz", "weights.npz",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("height", "width", "ending"),
    [(1, 1, "png"), (SIDE + 1, 7, "bmp"), (101, 37, "webp"), (3, 4 * SIDE + 1, "TIFF")],
)
def test_upscale_takes_any_size(place: Path, height: int, width: int, ending: str) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (height, width, 3), np.uint8)
    write_image(place / "in.png", pixels)
    said = run(place, "upscale", "m.tflite", "in.png", f"out.{ending}")
    assert said == f"out.{ending}: {2 * width}x{2 * height}\n"
    with Image.open(place / f"out.{ending}") as image:
        enlarged = np.asarray(image.convert("RGB"))
    assert enlarged.shape == (2 * height, 2 * width, 3)
    if ending != "webp":
        assert np.array_equal(enlarged, pixels.repeat(2, axis=0).repeat(2, axis=1))


def test_doctor_tries_the_whole_way(place: Path) -> None:
    findings = run_json(place, "doctor")
    assert all(finding["ok"] for finding in findings), findings
    names = {finding["name"] for finding in findings}
    assert {"converter", "disk", "gpu", "device host", "device ethos-u85-1024"} <= names


@pytest.mark.parametrize("closed", [">&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_a_service_may_have_closed_the_streams(place: Path, closed: str) -> None:
    command = f"{sys.executable} -m nas evaluate m.tflite --data photos {closed}"
    assert subprocess.run(["sh", "-c", command], cwd=place, check=False).returncode == 0


def test_a_name_is_one_cell_of_a_table(place: Path, tmp_path: Path) -> None:
    names = ("a\nb.png", "\x1b[31mred.png")
    for name in names:
        write_image(tmp_path / name, np.full((120, 120, 3), 90, np.uint8))
    text = run(tmp_path, "evaluate", str(place / "m.tflite"), "--data", ".")
    assert "\x1b" not in text
    assert all(
        any(shown in line for line in text.splitlines()) for shown in (r"a\nb.png", r"\x1b[")
    )


def test_a_space_is_checked_for_programs(place: Path) -> None:
    checked = run_json(place, "space", "check", "anchor", "--samples", "5", "--convert", "0")
    assert (checked["drawn"], checked["converted"], checked["failures"]) == (5, 0, {})
