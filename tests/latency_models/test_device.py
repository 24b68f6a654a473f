from __future__ import annotations

import subprocess
import sys
import tomllib
from importlib.resources import files
from pathlib import Path

import pytest

from latency_models import UnsupportedOperators, WeightGranularity, Worker
from latency_models.device import Device, device_names, load_device, open_source
from latency_models.sources.rknn.settings import RknnSettings
from latency_models.sources.vela import VelaSettings
from search_spaces import InputError, InputSpec

from .models import GRAPHS, Models

GOOD = (files("latency_models") / "devices" / "ethos-u55-256" / "device.toml").read_text()


def folder(path: Path, text: str) -> Path:
    (path / "device.toml").write_text(text)
    return path


@pytest.mark.parametrize("name", device_names())
def test_shipped_device_is_whole(name: str) -> None:
    device = load_device(name)
    assert device.name == name
    # a part with little SRAM has a smaller one
    assert device.input == InputSpec(360, 640) or getattr(device.settings, "sram_kb", None)
    assert device.weights is WeightGranularity.CHANNEL
    card = (files("latency_models") / "devices" / name / "README.md").read_text()
    assert device.title in card
    if isinstance(device.settings, VelaSettings | RknnSettings):
        assert f"{device.settings.cpu_bandwidth_gb_per_s:g} GB/s" in card
        assert f"{device.settings.cpu_gmac_per_s:g} GMAC/s" in card
    if isinstance(device.settings, VelaSettings) and device.settings.sram_kb is not None:
        assert f"| SRAM | {device.settings.sram_kb} KB |" in card


def test_names() -> None:
    assert set(device_names()) >= {
        "ethos-u55-128", "ethos-u55-256", "ethos-u65-256", "ethos-u65-512", "ethos-u85-512",
        "ethos-u85-1024", "host", "nxp-imx93", "alif-ensemble-e7-hp", "alif-ensemble-e7-he",
        "renesas-ra8p1", "corstone-300", "corstone-320",
    }  # fmt: skip


def test_folder_of_the_users_own(tmp_path: Path) -> None:
    path = folder(tmp_path, GOOD.replace("ethos-u55-256", "mine", 1))
    assert load_device(path).name == "mine"
    assert load_device(str(path)) == load_device(path)


def test_a_byte_order_mark_is_no_mistake(tmp_path: Path) -> None:
    """Windows' editor writes one."""
    (tmp_path / "device.toml").write_text(GOOD, encoding="utf-8-sig")
    assert load_device(tmp_path).name == "ethos-u55-256"


def test_unknown_device_lists_the_known(tmp_path: Path) -> None:
    for name in ("ethos-u99", str(tmp_path)):
        with pytest.raises(InputError, match=r"unknown device .*ethos-u55-256, .*host"):
            load_device(name)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('weights = "channel"', 'weights = "row"', "weights: .*'channel' or 'tensor'"),
        ('input = "360x640"', 'input = "big"', "input: .*'big' is not HEIGHTxWIDTH"),
        ('input = "360x640"', 'input = "0x0"', "input: input 0x0: "),
        ('operators = "any"', "operators = []", "operators: .*'any' or a list"),
        ("cpu_gmac_per_s = 0.5", "cpu_gmac_per_s = 0", "settings.cpu_gmac_per_s: .*greater than 0"),
        ("cpu_gmac_per_s = 0.5", "", "settings.cpu_gmac_per_s: Field required"),
        ('source = "vela"', 'source = "magic"', "settings: .*'magic'"),
        ('accelerator = "ethos-u55-256"', 'accelerator = "u55"', "settings.accelerator: "),
        ('title = "', 'color = "red"\ntitle = "', "color: Extra inputs are not permitted"),
        ("[settings]", "[settings]\ntimeout_seconds = inf", "settings.timeout_seconds: .*1000000"),
        ('title = "', "title = ", "line 2"),
        ('title = "', f'size = {"9" * 5000}\ntitle = "', "limit"),
        ('title = "', f'nested = {"[" * 5000}{"]" * 5000}\ntitle = "', "recursion"),
    ],
)
def test_mistake_is_named_by_file_and_key(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in GOOD
    path = folder(tmp_path, GOOD.replace(old, new, 1))
    with pytest.raises(InputError, match=rf"device\.toml: .*{message}") as caught:
        load_device(path)
    assert "\n" not in str(caught.value)
    assert "Value error" not in str(caught.value)  # pydantic's word for an error of ours


def test_operator_beyond_the_allowed_is_named(
    tmp_path: Path, worker: Worker, models: Models
) -> None:
    text = GOOD.replace('operators = "any"', 'operators = ["CONV_2D", "ADD"]')
    source = open_source(load_device(folder(tmp_path, text)), worker)
    request = models.request(GRAPHS["tiny"]())
    with pytest.raises(
        UnsupportedOperators, match=r"does not take DEPTH_TO_SPACE .*ADD, CONV_2D"
    ) as caught:
        source.measure(request)
    assert caught.value.kinds == ("DEPTH_TO_SPACE",)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("cpu_gmac_per_s = 0.5", "cpu_gmac_per_s = 0.6"),
        ('operators = "any"', 'operators = ["CONV_2D"]'),
        ("[settings]", "[settings]\ntimeout_seconds = 60.0"),
        ('weights = "channel"', 'weights = "tensor"'),
        ('input = "360x640"', 'input = "270x480"'),
    ],
)
def test_a_fingerprint_follows_what_is_said(tmp_path: Path, old: str, new: str) -> None:
    before = load_device(folder(tmp_path, GOOD)).fingerprint
    assert load_device(folder(tmp_path, GOOD.replace(old, new, 1))).fingerprint != before


@pytest.mark.parametrize("new", ["# a remark\n[settings]", "[settings]\ntimeout_seconds = 120.0"])
def test_a_fingerprint_does_not_follow_remarks_or_defaults(tmp_path: Path, new: str) -> None:
    before = load_device(folder(tmp_path, GOOD)).fingerprint
    assert load_device(folder(tmp_path, GOOD.replace("[settings]", new, 1))).fingerprint == before


def test_a_setting_of_a_later_version_changes_no_fingerprint() -> None:
    class LaterSettings(VelaSettings):
        optimise_for: str = "speed"

    class LaterDevice(Device):
        settings: LaterSettings
        cooling: str = "passive"

    device = load_device("ethos-u55-256")
    values = tomllib.loads(GOOD) | {"folder": device.folder}
    assert LaterDevice.model_validate(values).fingerprint == device.fingerprint
    values["settings"]["optimise_for"] = "size"
    assert LaterDevice.model_validate(values).fingerprint != device.fingerprint


def test_a_fingerprint_follows_tables_of_times(tmp_path: Path) -> None:
    text = GOOD.partition("[settings]")[0] + '[settings]\nsource = "csv"\n'
    device = load_device(folder(tmp_path, text))
    with pytest.raises(InputError, match=r"times\.csv: cannot be read"):
        device.fingerprint  # noqa: B018
    (tmp_path / "times.csv").write_text("model,input,device,ms\n")
    before = device.fingerprint
    (tmp_path / "times.csv").write_text("model,input,device,ms\n0123456789abcdef,90x160,d,3\n")
    assert device.fingerprint != before


def test_package_is_light() -> None:
    code = (
        "import sys, latency_models; print(*sorted({name.partition('.')[0] for name in sys.modules}"
        " & {'tensorflow', 'keras', 'pydantic', 'ethosu', 'ai_edge_litert', 'numpy', 'nas'}))"
    )
    heavy = subprocess.check_output([sys.executable, "-c", code], text=True)
    assert heavy.strip() == ""
