"""``nas latency measure --verify``: a time counts if the device computes what this machine does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from latency_models import LatencyRequest, LatencySource, Worker
from latency_models.sources.adb import DeviceError
from latency_models.sources.adb.settings import AdbSettings, SynapCliSettings
from latency_models.tflite.interpreter import Arithmetic, run_model
from latency_models.tflite.requests import request_of_file
from nas.latency.verification import MAX_LEVELS, Agreement
from tests.nas.commands import execute, run, run_json
from tests.nas.tiny_model import SIDE, make_tflite

from ..models import GRAPHS, Models
from .double import TOOL, DeviceDouble
from .outputs import SYNAP
from .test_command_line import place
from .test_end_to_end import NOWHERE, source

__all__ = ["place"]

VERIFY = ("latency", "measure", "m.tflite", "--device", "board", "--verify")


def test_an_honest_device_is_measured(place: Path, board: DeviceDouble) -> None:
    answer = run_json(place, *VERIFY)
    assert answer["ms"] == 5.0
    assert answer["verified"] == {
        "image": "chelsea.png", "largest": 0, "mean": 0.0, "psnr_db": 100.0,
    }  # fmt: skip
    assert board.models() == []
    board.commands.clear()
    assert "verified" not in run_json(place, *VERIFY[:-1])
    assert not any("output_filepath" in command for command in board.commands)


def test_a_device_that_computes_something_else_has_no_time(
    place: Path, board: DeviceDouble
) -> None:
    board.install("--us=5000", "--lie=another image")
    answer = execute(place, *VERIFY)
    assert (answer.code, answer.output) == (1, "")
    assert "computes something else than this machine, at most " in answer.errors
    assert "dB between them" in answer.errors
    assert answer.errors.count("\n") == 1


def test_an_old_build_is_told_of(place: Path, board: DeviceDouble) -> None:
    board.install("--us=5000", "--old")
    answer = execute(place, *VERIFY, "--log", "said.txt")
    assert answer.code == 1
    assert "too old to write its outputs: it does not know --" in answer.errors
    assert "measure without --verify" in answer.errors
    assert "Unconsumed" in (place / "said.txt").read_text()
    assert run_json(place, *VERIFY[:-1])["ms"] == 5.0


def test_a_tool_that_writes_nothing(place: Path, board: DeviceDouble) -> None:
    board.install("--us=5000")
    inner = board.place("/data/inner")
    inner.write_text(board.place(TOOL).read_text())
    inner.chmod(0o755)
    board.write(TOOL, f'#!/bin/sh\n{inner} "$@" && rm -f "$(dirname "${{1#*=}}")/outputs.bin"\n')
    answer = execute(place, *VERIFY)
    assert answer.code == 1
    assert "outputs.bin cannot be read from device" in answer.errors


def test_outputs_of_the_processor_are_none_of_the_accelerator(
    board: DeviceDouble, models: Models
) -> None:
    board.install("--left=CONV_2D", "--left_share=0.01")
    request = models.request(GRAPHS["tiny"]())
    image = bytes(range(96)) * (64 * 3)
    assert len(source(board).run(request, image)) == 4 * len(image)
    board.install_text(
        "INFO: Though NNAPI delegate is explicitly applied, the model graph will not be executed "
        "by the delegate.\n"
    )
    with pytest.raises(DeviceError, match="took no operator"):
        source(board).run(request, image)


def test_this_machine_is_verified_too(place: Path) -> None:
    (place / "host").mkdir()
    (place / "host/device.toml").write_text(
        'name = "host"\ntitle = "T"\nstack = "S"\noperators = "any"\nweights = "channel"\n'
        'input = "360x640"\nsettings = { source = "host", minimum_seconds = 0.01 }\n'
    )
    words = ("latency", "measure", "m.tflite", "--device", "./host", "--verify")
    said = run(place, *words)
    assert "verified: its output and this machine's: equal in every byte, for chelsea.png" in said


def test_a_table_of_times_runs_nothing(place: Path) -> None:
    (place / "phone").mkdir()
    (place / "phone/device.toml").write_text(
        'name = "phone"\ntitle = "T"\nstack = "S"\noperators = "any"\nweights = "channel"\n'
        'input = "360x640"\nsettings = { source = "csv" }\n'
    )
    (place / "phone/times.csv").write_text("model,input,device,ms\n")
    answer = execute(place, "latency", "measure", "m.tflite", "--device", "phone", "--verify")
    assert answer.code == 1
    assert "no device here to run it" in answer.errors


def test_kernels_round_differently_and_are_alike(models: Models, worker: Worker) -> None:
    """What is allowed is more than what two sets of kernels of one runtime do."""
    data = models.tflite(GRAPHS["xlsr"](), noise=0.05)
    image = np.random.default_rng(0).integers(0, 256, (64, 96, 3), np.uint8).tobytes()
    ours, theirs = (worker.call(60, run_model, data, image, one) for one in Arithmetic)
    agreement = Agreement.of("noise", *(bytes(b ^ 128 for b in made) for made in (ours, theirs)))
    assert agreement.is_rounding
    assert 0 < agreement.largest < MAX_LEVELS


def _synap(board: DeviceDouble, converter: Path) -> LatencySource:
    converter.write_text('#!/bin/sh\ncp "$2" "$4/model.synap"\n')
    converter.chmod(0o755)
    runner = SynapCliSettings(
        tool="synap_cli",
        path="/data/local/tmp/synap_cli",
        image_path="/data/local/tmp/synap_cli_ip",
        convert=(str(converter), "--model", "{model}", "--out-dir", "{folder}"),
    )
    return AdbSettings(source="adb", serial=board.serial, runner=runner).open(NOWHERE)


def test_synap_cli_ip_takes_and_writes_grey_levels(board: DeviceDouble, tmp_path: Path) -> None:
    """Its arguments: -m MODEL --out-dir FOLDER IMAGE."""
    board.install_text(SYNAP, "/data/local/tmp/synap_cli")
    taken = board.place("/data/taken.rgb")
    made = np.arange(3 * (2 * SIDE) ** 2).astype(np.uint8)
    board.place("/data/made.rgb").write_bytes(made.tobytes())
    board.write(
        "/data/local/tmp/synap_cli_ip",
        f'#!/bin/sh\ncp "$5" {taken}\ncp {board.place("/data/made.rgb")} '
        f'"$4/outimage0_{2 * SIDE}x{2 * SIDE}.rgb"\n',
    )
    data = make_tflite()
    request: LatencyRequest = request_of_file("m", data)
    opened = _synap(board, tmp_path / "converter")
    levels = np.arange(3 * SIDE**2).astype(np.uint8)
    output = opened.run(request, (levels ^ np.uint8(128)).tobytes())
    assert taken.read_bytes() == levels.tobytes()
    assert output == (made ^ np.uint8(128)).tobytes()
    assert board.models() == []

    board.place("/data/local/tmp/synap_cli_ip").unlink()
    with pytest.raises(DeviceError, match="synap_cli_ip cannot be started"):
        opened.run(request, bytes(3 * SIDE**2))
