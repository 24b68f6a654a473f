"""``nas latency device``: from a maker's configuration file to a device, or the reason why not."""

from __future__ import annotations

from pathlib import Path

import pytest

from latency_models.device import load_device

from ..commands import execute, run, run_json
from ..console import Console
from ..tiny_model import make_tflite

SYSTEM = """
[System_Config.{name}]
core_clock={clock}
axi0_port=Sram
axi1_port={port}
Sram_clock_scale=1.0
Sram_read_latency=32
Sram_write_latency=32
{port}_clock_scale=0.25
"""
MEMORY = """
[Memory_Mode.Shared_Sram]
const_mem_area=Axi1
arena_mem_area=Axi0
cache_mem_area=Axi0
"""
INI = SYSTEM.format(name="Board", clock="200e6", port="OffChipFlash") + MEMORY


def words(*further: str, accelerator: str = "ethos-u55-64", out: str = "mine") -> tuple[str, ...]:
    given = ("--from-vela", "vela.ini", "--accelerator", accelerator, "--out", out)
    return ("latency", "device", *given, *further)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "vela.ini").write_text(INI)
    (tmp_path / "m.tflite").write_bytes(make_tflite())
    return tmp_path


def test_a_configuration_is_a_device(folder: Path) -> None:
    said = run(folder, *words("--sram-kb", "512", "--cpu-gb-per-s", "3"))
    assert said == "mine: ethos-u55-64, 200 MHz: a device folder, mine\n"
    device = load_device(folder / "mine")
    assert device.name == "mine"
    card = (folder / "mine/README.md").read_text()
    assert device.title in card
    assert "**3 GB/s**" in card
    assert "**0.5 GMAC/s**" in card
    answer = run_json(folder, "latency", "predict", "m.tflite", "--device", "./mine")
    assert answer["source"].startswith("vela 5.2.")
    assert answer["conditions"]["clock_mhz"] == "200"
    assert answer["conditions"]["system_config"] == "Board"


def test_times_follow_the_file(folder: Path) -> None:
    run(folder, *words())
    (folder / "vela.ini").write_text(INI.replace("200e6", "100e6"))
    run(folder, *words(out="slow"))
    quick, slow = (
        run_json(folder, "latency", "predict", "m.tflite", "--device", f"./{name}")["operators"]
        for name in ("mine", "slow")
    )
    on_npu = [row["ms"] for row in quick if row["engine"] == "npu"]
    assert sum(on_npu) > 0
    assert [row["ms"] for row in slow if row["engine"] == "npu"] == [2 * ms for ms in on_npu]
    made_with = load_device(folder / "mine").fingerprint
    (folder / "mine/vela.ini").write_text(INI.replace("200e6", "100e6"))
    assert load_device(folder / "mine").fingerprint != made_with


def test_a_file_that_was_changed_is_kept(folder: Path) -> None:
    run(folder, *words())
    (folder / "mine/vela.ini").write_text(INI)
    answer = execute(folder, *words())
    assert answer.code == 2
    assert "vela.ini: was written or changed by hand" in answer.errors


def test_a_network_that_needs_more_sram_than_there_is_is_refused(folder: Path) -> None:
    run(folder, *words())
    predicted = run_json(folder, "latency", "predict", "m.tflite", "--device", "./mine")
    used = int(predicted["conditions"]["sram_kb_used"])
    assert used > 1
    run(folder, *words("--sram-kb", str(used)))  # written anew, since nobody changed it
    run(folder, "latency", "predict", "m.tflite", "--device", "./mine")

    run(folder, *words("--sram-kb", str(used - 1)))
    answer = execute(folder, "latency", "predict", "m.tflite", "--device", "./mine")
    assert answer.code == 1
    assert f"m.tflite at 16x16 needs {used} KB of SRAM" in answer.errors
    assert f"the device has {used - 1}; take a smaller input" in answer.errors


@pytest.mark.parametrize(
    ("text", "further", "message"),
    [
        ("", (), "has several System_Config.*; name one of: none"),
        ("no ini", (), "no configuration file of Vela"),
        (INI, ("--system-config", "Mars"), "has no System_Config.Mars; it has Board"),
        (INI, ("--memory-mode", "Hard"), "has no Memory_Mode.Hard; it has Shared_Sram"),
        (INI + SYSTEM.format(name="Two", clock="1e9", port="Dram"), (), "name one of: Board, Two"),
        (INI.replace("core_clock", "core_clok"), (), "core_clock of 1 Hz; write it as 500e6"),
        (INI.replace("200e6", "quick"), (), "does not take System_Config.Board"),
        (INI.replace("axi1_port=OffChipFlash", "axi1_port=Tape"), (), "Tape"),
        (INI.replace("cache_mem_area=Axi0", "cache_mem_area=Axi1"), (), "cache_mem_area"),
    ],
)
def test_what_is_wrong_with_a_file_is_told(
    folder: Path, text: str, further: tuple[str, ...], message: str
) -> None:
    (folder / "vela.ini").write_text(text)
    answer = execute(folder, *words(*further))
    assert answer.code == 2
    assert message in answer.errors
    assert answer.errors.count("\n") == 1
    assert not (folder / "mine").exists()


def test_unknown_accelerators_and_files(console: Console) -> None:
    (console.folder / "vela.ini").write_text(INI)
    console.refuse(
        2, "Vela has no accelerator 'u55'; it has ethos-u55-32", *words(accelerator="u55")
    )
    gone = ("latency", "device", "--from-vela", "gone.ini", "--accelerator", "ethos-u55-64")
    console.refuse(2, "gone.ini: cannot be read (No such file", *gone, "--out", "mine")
