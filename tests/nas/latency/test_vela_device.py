"""``nas latency device``: from a maker's configuration file to a device, or the reason why not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from latency_models import Latency, Worker
from latency_models.device import Device, load_device, open_source
from latency_models.source import DoesNotFit
from latency_models.sources.vela import accelerator_named
from latency_models.tflite.requests import request_of_file
from nas.latency.vela_device import VelaBoard, write_vela_device
from search_spaces import InputError, InputSpec

from ..commands import run, run_json
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


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    with Worker() as worker:
        yield worker


@pytest.fixture
def board(tmp_path: Path) -> VelaBoard:
    (tmp_path / "vela.ini").write_text(INI)
    return VelaBoard(tmp_path / "vela.ini", "ethos-u55-64", InputSpec(16, 16))


def time_on(device: Device, worker: Worker) -> Latency:
    return open_source(device, worker).measure(request_of_file("m.tflite", make_tflite()))


def npu_ms(latency: Latency) -> list[float]:
    return [row.ms for row in latency.operators if row.engine == "npu"]


def test_a_configuration_is_a_device(board: VelaBoard) -> None:
    folder = board.config.parent
    (folder / "m.tflite").write_bytes(make_tflite())
    words = ("--from-vela", "vela.ini", "--accelerator", "ethos-u55-64", "--out", "Mine")
    said = run(folder, "latency", "device", *words, "--sram-kb", "512", "--cpu-gb-per-s", "3")
    assert said == "Mine: ethos-u55-64, 200 MHz: a device folder, Mine\n"
    device = load_device(folder / "Mine")
    assert device.name == "mine"
    card = (folder / "Mine/README.md").read_text()
    assert device.title in card
    assert "| SRAM | 512 KB |" in card
    assert "**3 GB/s**" in card
    assert "**0.5 GMAC/s**" in card
    answer = run_json(folder, "latency", "predict", "m.tflite", "--device", "./Mine")
    assert answer["source"].startswith("vela 5.2.")
    assert answer["conditions"]["clock_mhz"] == "200"
    assert answer["conditions"]["system_config"] == "Board"


def test_times_follow_the_file(board: VelaBoard, tmp_path: Path, worker: Worker) -> None:
    quick = write_vela_device(tmp_path / "quick", board, worker)
    board.config.write_text(INI.replace("200e6", "100e6"))
    slow = write_vela_device(tmp_path / "slow", board, worker)
    times = npu_ms(time_on(quick, worker))
    assert sum(times) > 0
    assert npu_ms(time_on(slow, worker)) == [2 * ms for ms in times]
    made_with = quick.fingerprint
    (tmp_path / "quick/vela.ini").write_text(INI.replace("200e6", "100e6"))
    assert load_device(tmp_path / "quick").fingerprint != made_with


@pytest.mark.parametrize(
    "spelled",
    [
        lambda ini: ini.replace("Sram_clock", "SRAM_CLOCK"),
        lambda ini: ini.replace("Sram_clock", "sram_clock"),
        lambda ini: ini.replace("=", ": "),
        lambda ini: ini.replace("core_clock", "# of the board\ncore_clock"),
        lambda ini: "[DEFAULT]\nSram_clock_scale=0.01\n" + ini.replace("Sram_clock_scale=0.01", ""),
        lambda ini: ini.replace("0.01", "%(share)s\nshare=0.01"),
        lambda ini: f"\ufeff{ini}",
    ],
    ids=["capitals", "small letters", "colons", "#", "DEFAULT", "a reference", "byte order mark"],
)
def test_times_do_not_hang_on_how_a_file_is_spelled(
    board: VelaBoard, tmp_path: Path, worker: Worker, spelled: Callable[[str], str]
) -> None:
    slow_memory = INI.replace("Sram_clock_scale=1.0", "Sram_clock_scale=0.01")
    times = []
    for name, text in (("fast", INI), ("slow", slow_memory), ("spelled", spelled(slow_memory))):
        board.config.write_text(text, encoding="utf-8")
        times.append(npu_ms(time_on(write_vela_device(tmp_path / name, board, worker), worker)))
    assert sum(times[1]) > sum(times[0])
    assert times[2] == times[1]


def test_a_file_that_was_changed_is_kept(board: VelaBoard, tmp_path: Path, worker: Worker) -> None:
    write_vela_device(tmp_path / "mine", board, worker)
    write_vela_device(tmp_path / "mine", replace(board, sram_kb=9), worker)  # nobody changed it
    (tmp_path / "mine/vela.ini").write_text(INI)
    with pytest.raises(InputError, match=r"vela\.ini: was written or changed by hand"):
        write_vela_device(tmp_path / "mine", board, worker)


def test_a_network_that_needs_more_sram_than_there_is_is_refused(
    board: VelaBoard, tmp_path: Path, worker: Worker
) -> None:
    device = write_vela_device(tmp_path / "mine", board, worker)
    used = int(dict(time_on(device, worker).conditions)["sram_kb_used"])
    assert used > 1
    enough = write_vela_device(tmp_path / "mine", replace(board, sram_kb=used), worker)
    assert npu_ms(time_on(enough, worker))
    less = write_vela_device(tmp_path / "mine", replace(board, sram_kb=used - 1), worker)
    with pytest.raises(
        DoesNotFit, match=rf"m\.tflite at 16x16 needs {used} KB of SRAM, .* has {used - 1}; take a"
    ) as error:
        time_on(less, worker)
    assert error.value.excess == pytest.approx(used / (used - 1) - 1)


@pytest.mark.parametrize(
    ("text", "said", "message"),
    [
        ("", {}, r"has no section \[System_Config\.NAME\]"),
        ("no ini", {}, "no configuration file of Vela"),
        (INI, {"system_config": "Mars"}, r"has no System_Config\.Mars; it has Board"),
        (INI, {"memory_mode": "Hard"}, r"has no Memory_Mode\.Hard; it has Shared_Sram"),
        (INI + SYSTEM.format(name="Two", clock="1e9", port="Dram"), {}, "name one of: Board, Two"),
        (INI.replace("core_clock", "core_clok"), {}, "core_clock of 1 Hz; write it as 500e6"),
        (INI.replace("200e6", "quick"), {}, r"does not take System_Config\.Board"),
        (INI.replace("200e6", "inf"), {}, "core_clock of inf Hz; write it as 500e6"),
        (INI.replace("200e6", "%(clock)s"), {}, "no configuration file of Vela"),
        (INI.replace("scale=1.0", "scale=0"), {}, "Board: Sram_clock_scale is 0"),
        (INI.replace("scale=0.25", "scale=-1"), {}, "Board: OffChipFlash_clock_scale is -1"),
        (INI.replace("scale=0.25", "scale=nan"), {}, "Board: OffChipFlash_clock_scale is nan"),
        (INI.replace("axi1_port=OffChipFlash", "axi1_port=Tape"), {}, "it knows no Tape$"),
        (INI.replace("cache_mem_area=Axi0", "cache_mem_area=Axi1"), {}, "cache_mem_area"),
    ],
)
def test_what_is_wrong_with_a_file_is_told(
    board: VelaBoard, tmp_path: Path, worker: Worker, text: str, said: dict[str, str], message: str
) -> None:
    board.config.write_text(text)
    wanted = replace(
        board, system_config=said.get("system_config"), memory_mode=said.get("memory_mode")
    )
    with pytest.raises(InputError, match=message) as error:
        write_vela_device(tmp_path / "mine", wanted, worker)
    assert str(error.value).startswith(str(board.config))
    assert "\n" not in str(error.value)
    assert not (tmp_path / "mine").exists()


def test_unknown_accelerators_and_files(board: VelaBoard, tmp_path: Path, worker: Worker) -> None:
    assert accelerator_named("Ethos-U85-256") == "ethos-u85-256"
    with pytest.raises(InputError, match="no accelerator 'u55'; it has ethos-u55-32, "):
        accelerator_named("u55")
    gone = replace(board, config=tmp_path / "gone.ini")
    with pytest.raises(InputError, match=r"gone\.ini: cannot be read \(No such file"):
        write_vela_device(tmp_path / "mine", gone, worker)
