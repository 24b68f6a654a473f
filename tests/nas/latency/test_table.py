"""A table of measurements is of one device, input and space; what is not is refused in a line."""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latency_models import Latency, LatencyRequest, Worker
from latency_models.device import Device, load_device
from latency_models.device_file import device_toml
from latency_models.sources.regression import (
    Measurement,
    MeasurementOrigin,
    read_measurements,
    write_measurements,
)
from latency_models.sources.regression.defaults import default_structure
from latency_models.sources.regression.settings import TABLE
from latency_models.sources.regression.source import read_table
from nas.latency.collect import Collection, JudgedModel, validate
from nas.latency.fit import fit_folder, settings_of
from nas.latency.table import Networks, require_table_of
from nas.system.files import write_text
from nas.system.generated import GeneratedFile
from nas.system.locks import alone
from search_spaces import InputError, InputSpec
from search_spaces.spaces.loading import load_space

from ..console import Console
from .test_collect import Rule, collection

FEW = 26
DEVICE = load_device("ethos-u65-512").model_copy(update={"input": InputSpec(90, 160)})


def quiet(line: str) -> None:
    pass


def with_device(own: Collection, **values: object) -> Collection:
    return replace(own, device=own.device.model_copy(update=values))


OTHERS: list[tuple[Callable[[Collection], Collection], str]] = [
    (lambda own: with_device(own, name="other"), "device ethos-u65-512, not other"),
    (lambda own: with_device(own, input=InputSpec(90, 88)), "input 90x160, not 90x88"),
    (lambda own: replace(own, space=load_space("plain")), "anchor x2, not plain x2"),
    (lambda own: replace(own, scale=3), "anchor x2, not anchor x3"),
    (lambda own: with_device(own, stack="newer"), "other settings or software"),
    (lambda own: with_device(own, settings=load_device("host").settings), "other settings"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "said"), OTHERS)
def test_another_device_input_or_space_does_not_go_into_a_table(
    tmp_path: Path, change: Callable[[Collection], Collection], said: str
) -> None:
    own = collection(tmp_path, Rule())
    own.run(2, quiet)
    before = own.table.path.read_bytes()
    with pytest.raises(InputError, match=f"holds measurements of .*{said}"):
        change(own).run(3, quiet)
    assert own.table.path.read_bytes() == before
    with_device(own, title="Another word for it").run(3, quiet)


def test_a_table_by_hand_is_taken_and_gone_on_with(tmp_path: Path) -> None:
    own = collection(tmp_path, Rule())
    by_hand = [replace(row, origin=None) for row in own.run(3, quiet)]
    text = write_measurements(by_hand)
    assert "device" not in text.splitlines()[0]
    own.table.path.write_text(text)
    assert len(own.run(4, quiet)) == 4
    rows = read_table(own.table.path)
    assert [row.origin is None for row in rows] == [True, True, True, False]
    require_table_of(DEVICE, rows, own.table.path)


def test_what_a_row_says_of_itself_comes_back(tmp_path: Path) -> None:
    [row] = collection(tmp_path, Rule()).run(1, quiet)
    assert row.origin == MeasurementOrigin(
        "ethos-u65-512", DEVICE.conditions, "90x160", "anchor x2"
    )
    assert read_measurements(write_measurements([row]), "t")[0].origin == row.origin
    [cells] = csv.DictReader(io.StringIO((tmp_path / TABLE).read_text()))
    assert (cells["device"], cells["input"], cells["space"]) == (
        "ethos-u65-512", "90x160", "anchor x2",
    )  # fmt: skip


def changed(rows: tuple[Measurement, ...], **origin: str) -> list[Measurement]:
    """The last row from elsewhere, as if two tables were joined."""
    *kept, last = rows
    assert last.origin is not None
    return [*kept, replace(last, origin=replace(last.origin, **origin))]


@pytest.mark.parametrize(
    ("origin", "said"),
    [
        ({"device": "b"}, "was measured on b at 90x160, not on ethos-u65-512 at 90x160"),
        ({"input": "9x9"}, "at 9x9, not on"),
        ({"conditions": "0"}, "with other settings or software"),
    ],
)
def test_a_table_that_was_joined_is_not_fitted(
    tmp_path: Path, origin: dict[str, str], said: str
) -> None:
    rows = changed(collection(tmp_path, Rule()).run(3, quiet), **origin)
    (tmp_path / TABLE).write_text(write_measurements(rows))
    with pytest.raises(InputError, match=said):
        fit_folder(tmp_path, DEVICE)
    assert not (tmp_path / "device.toml").exists()


def test_two_at_once_lose_no_row(tmp_path: Path) -> None:
    own = collection(tmp_path, Rule())
    own.run(1, quiet)
    with alone(tmp_path, "measuring"):
        with pytest.raises(InputError, match="another process is measuring"):
            own.run(2, quiet)
        with pytest.raises(InputError, match="another process is measuring"):
            own.bench.run_through([own.draw(5)], quiet)
    assert len(own.run(2, quiet)) == 2


def test_predictions_are_not_collected_or_fitted(console: Console) -> None:
    device = ("--device", "ethos-u65-512-regression", "--out", "t")
    for words in (("collect",), ("fit",), ("validate", "--model", "vs680")):
        errors = console.refuse(2, "its times are predictions", "latency", *words, *device)
        assert "name the device that they are of, ethos-u65-512" in errors


def test_without_a_table_the_command_that_makes_one_is_named(console: Console) -> None:
    words = ("latency", "fit", "--device", "ethos-u65-512", "--out", "t")
    errors = console.refuse(2, "t: no measurements.csv in it", *words)
    assert "by `nas latency collect`" in errors


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a model as ``fit`` writes it, of a recipe that is fitted in no time."""
    folder = tmp_path_factory.mktemp("fitted")
    rows = collection(folder, Rule()).run(FEW, quiet)
    settings = settings_of(replace(default_structure(rows), residual=False))
    device = DEVICE.model_copy(update={"name": "fitted", "settings": settings})
    GeneratedFile(folder / "device.toml", "nas latency fit").write(device_toml(device))
    GeneratedFile(folder / "README.md", "nas latency fit", ("<!--", "-->")).write("# A model")
    return folder


def test_networks_of_the_fit_are_not_measured_to_judge_it(tmp_path: Path, fitted: Path) -> None:
    model = load_device(fitted)
    judged = JudgedModel.of(model, DEVICE, tmp_path / "fresh")
    # Drawn from the same seed: each would be one of the fit.
    fresh = replace(collection(tmp_path / "fresh", Rule()), but=judged.networks)
    rows = fresh.run(5, quiet)
    assert not {row.name for row in rows} & {row.name for row in judged.rows}
    # Rows of an earlier validation that have gone into the fit since are left out.
    fresh.table.write([*judged.rows[:3], *rows])
    source = Rule(answers=0)
    again = replace(fresh, source=source).run(5, quiet)
    assert [row.name for row in again] == [row.name for row in rows]
    assert source.asked == 0
    assert validate(judged.model, judged.rows, again).model.networks == 5
    with pytest.raises(InputError, match="among the measurements of the fit"):
        validate(judged.model, judged.rows, [*again, judged.rows[0]])


def test_what_cannot_be_judged_is_refused_before_anything_is_measured(
    tmp_path: Path, fitted: Path
) -> None:
    model = load_device(fitted)
    for device, out, said in (
        (DEVICE, fitted / "../" / fitted.name, "the model's own table"),
        (load_device("host"), tmp_path / "fresh", "is a model of ethos-u65-512, not of host"),
    ):
        with pytest.raises(InputError, match=said):
            JudgedModel.of(model, device, out)
    with pytest.raises(InputError, match="is no regression"):
        JudgedModel.of(load_device("host"), DEVICE, tmp_path / "fresh")


def test_a_network_is_known_by_what_runs_in_it(tmp_path: Path) -> None:
    [row] = collection(tmp_path, Rule()).run(1, quiet)
    renamed = Networks.of([replace(row, name="ABPN", network="ABPN")])
    assert renamed.contains(row.name, row.operators)
    assert renamed.contains("ABPN", ())
    assert not renamed.contains("XLSR", row.operators[1:])


def test_a_person_s_device_is_not_overwritten(tmp_path: Path, fitted: Path) -> None:
    shutil.copytree(fitted, tmp_path, dirs_exist_ok=True)
    for name in ("device.toml", "README.md"):
        own = (tmp_path / name).read_text()
        for text in ("mine\n", "", own + "# a note\n", own.replace("\n", "\n\n", 1)):
            (tmp_path / name).write_text(text)
            with pytest.raises(InputError, match=f"{name}: was written or changed by hand"):
                fit_folder(tmp_path, DEVICE)
            assert (tmp_path / name).read_text() == text
        (tmp_path / name).write_text(own)


@given(st.lists(st.text(), max_size=3))
def test_what_was_written_is_written_anew(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str]
) -> None:
    path = tmp_path_factory.mktemp("own") / "a"
    for text in texts:
        GeneratedFile(path, "nas", ("<!--", "-->")).write(text)
        assert path.read_bytes().decode().split("\n", 1)[1] == text


def test_bytes_that_are_no_text_are_somebody_s(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"\xff\n\0")
    with pytest.raises(InputError, match="changed by hand"):
        GeneratedFile(tmp_path / "a", "nas").write("mine")


def measuring(console: Console, monkeypatch: pytest.MonkeyPatch, source: Rule) -> tuple[str, ...]:
    """A device folder, and what measures in its place."""
    write_text(console.folder / "board/device.toml", device_toml(DEVICE))

    def opened(device: Device, worker: Worker) -> Rule:
        return source

    monkeypatch.setattr("latency_models.device.open_source", opened)
    return ("--device", "board", "--space", "anchor", "--scale", "2")


def test_progress_and_answers_go_their_own_ways(
    console: Console, monkeypatch: pytest.MonkeyPatch, fitted: Path
) -> None:
    own = measuring(console, monkeypatch, Rule())
    shutil.copytree(fitted, console.folder / "t")
    collect = ("latency", "collect", *own, "--out", "t", "--samples", str(FEW + 1))
    code, printed, errors = console.run_whole(*collect)
    assert (code, errors.count("\n")) == (0, 1)
    assert printed == f"t/measurements.csv: {FEW + 1} networks measured on board\n"
    words = ("latency", "validate", *own, "--model", "t", "--out", "v", "--samples", "4")
    code, printed, errors = console.run_whole(*words, "--json")
    assert (code, errors.count("\n")) == (0, 4)
    assert set(json.loads(printed)) == {"structures", "model", "macs_alone"}
    code, printed, errors = console.run_whole(*words)
    assert (code, errors) == (0, "")
    assert "what is good" in printed.splitlines()[0]
    assert "Kendall's tau" in printed


class Stopped(Rule):
    """Somebody presses Ctrl-C when so many are measured."""

    def measure(self, request: LatencyRequest) -> Latency:
        if self.asked == self.answers:
            raise KeyboardInterrupt
        return super().measure(request)


def test_ctrl_c_tells_what_is_left(console: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    own = measuring(console, monkeypatch, Stopped(answers=3))
    code, errors = console.run("latency", "collect", *own, "--out", "t", "--samples", "10")
    assert code == 130
    assert errors.splitlines()[-1] == (
        "interrupted: t/measurements.csv holds 3 of 10 measurements; the same command goes on, "
        "7 are left"
    )


def repeated(rows: Sequence[Measurement], *, networks: int) -> list[Measurement]:
    """The first rows, each taken five times under names of its own, as in a table made by hand."""
    return [
        Measurement(f"{row.name} {turn}", row.operators, row.ms * (1 + turn / 1000))
        for row in rows[:networks]
        for turn in range(5)
    ]


def test_a_network_that_was_timed_again_is_left_out_with_itself(tmp_path: Path) -> None:
    """Else it would be predicted from itself, and the errors of the card would be too small."""
    rows = collection(tmp_path, Rule()).run(6, quiet)
    again = repeated(rows, networks=6)
    (tmp_path / TABLE).write_text(write_measurements(again))
    figures = fit_folder(tmp_path, DEVICE).networks
    (tmp_path / TABLE).write_text(
        write_measurements([replace(row, network=row.name[:16]) for row in again])
    )
    assert fit_folder(tmp_path, DEVICE).networks == figures
    assert figures.mape_percent > 2  # of a network predicted from itself 0.1


def test_a_table_of_one_network_is_refused(tmp_path: Path) -> None:
    rows = collection(tmp_path, Rule()).run(2, quiet)
    (tmp_path / TABLE).write_text(write_measurements(repeated(rows, networks=1)))
    with pytest.raises(InputError, match="all 5 measurements are of one network"):
        fit_folder(tmp_path, DEVICE)
