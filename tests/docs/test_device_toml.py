"""The reference of device.toml, held equal to the settings themselves."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import tomlkit
from pydantic import BaseModel

from latency_models.device import Device, device_names, load_device
from latency_models.sources.adb import settings as adb
from latency_models.sources.host import HostSettings
from latency_models.sources.regression import settings as regression
from latency_models.sources.regression.quantities import Quantity
from latency_models.sources.rknn.settings import CalibrationSettings, RknnSettings
from latency_models.sources.settings import SettingsTable
from latency_models.sources.table import CsvSettings
from latency_models.sources.vela import VelaSettings

from .pages import ROOT, Block, read_page

PAGE = ROOT / "docs/device-toml.md"
SECTIONS: dict[str, type[SettingsTable]] = {
    "The file": Device,
    'source = "adb"': adb.AdbSettings,
    'tool = "benchmark_model"': adb.BenchmarkModelSettings,
    'kind = "nnapi"': adb.NnapiDelegate,
    'kind = "external"': adb.ExternalDelegate,
    'kind = "stable"': adb.StableDelegate,
    'kind = "gpu"': adb.GpuDelegate,
    'kind = "xnnpack"': adb.XnnpackDelegate,
    'tool = "litert_benchmark_model"': adb.LitertBenchmarkSettings,
    'tool = "synap_cli"': adb.SynapCliSettings,
    'source = "csv"': CsvSettings,
    'source = "host"': HostSettings,
    'source = "vela"': VelaSettings,
    'source = "rknn"': RknnSettings,
    "calibration": CalibrationSettings,
    'source = "regression"': regression.RegressionSettings,
    "terms": regression.TermSettings,
    "paddings": regression.PaddingSettings,
    "interval": regression.IntervalSettings,
}
ROW = re.compile(r"\| `(\w+)` \| (.+?) \| (.+) \|")
EXAMPLES = [block for block in read_page(PAGE).blocks if block.title]


def sections() -> dict[str, dict[str, str]]:
    """Heading -> field -> default, as the page has them; headings without a table are left out."""
    found: dict[str, dict[str, str]] = {}
    heading = ""
    for line in PAGE.read_text().splitlines():
        if line.startswith("#"):
            heading = line.lstrip("# ")
        elif row := ROW.fullmatch(line):
            found.setdefault(heading, {})[row[1]] = row[2]
    return found


def every_table(base: type[SettingsTable]) -> Iterator[type[SettingsTable]]:
    """All that a file may hold: classes that others are made of are none of its tables."""
    for kind in base.__subclasses__():
        if not (kind.__name__.startswith("_") or inspect.isabstract(kind)):
            yield kind
        yield from every_table(kind)


def in_toml(value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, tuple):
        return f"[{', '.join(map(in_toml, value))}]"
    if isinstance(value, BaseModel):
        table = tomlkit.inline_table()
        table.update(value.model_dump())
        return table.as_string()
    return tomlkit.item(value).as_string()


def test_every_table_of_a_file_has_its_section() -> None:
    assert set(sections()) == set(SECTIONS)
    assert set(SECTIONS.values()) == set(every_table(SettingsTable))


@pytest.mark.parametrize("heading", SECTIONS)
def test_fields_and_defaults_are_those_of_the_settings(heading: str) -> None:
    fields = SECTIONS[heading].model_fields.items()
    assert sections()[heading] == {
        name: "required" if field.is_required() else in_toml(field.default)
        for name, field in fields
        if name != "folder" or heading != "The file"
    }


def test_every_quantity_is_named() -> None:
    text = PAGE.read_text()
    for quantity in Quantity:
        assert f'`"{quantity}"`' in text
        assert f"`{quantity}`" in text


def test_every_device_of_the_package_is_told_of() -> None:
    told = (PAGE.parent / "your-device.md").read_text()
    for name in device_names():
        assert f"`{name.removesuffix('-regression')}`" in told


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda block: block.title)
def test_an_example_is_a_device(tmp_path: Path, example: Block) -> None:
    folder = tmp_path / "device"
    folder.mkdir()
    (folder / "device.toml").write_text(example.text)
    assert load_device(folder).title


def test_every_source_runner_and_delegate_has_an_example() -> None:
    text = "\n".join(block.text for block in EXAMPLES)
    for heading in SECTIONS:
        key, is_choice, value = heading.partition(" = ")
        if is_choice:
            assert re.search(rf"\b{key} = {value}", text), heading
