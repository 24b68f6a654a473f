"""``nas models``, and a shipped model's name wherever a model is asked for."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import nas
from nas.data.images import write_image
from nas.evaluation.model_card import ModelCard, SetMeans
from nas.latency.model_reference import find_network, network_path
from nas.shipped.catalog import Catalog, ShippedModel, file_of, is_shipped
from nas.shipped.comparison import ratio_to, reference_of
from search_spaces import InputError, zoo

from ..commands import run, run_json
from ..console import Console
from ..qualities import figures
from .entries import CARD, TFLITE, timed, write_entry

ABPN = replace(
    CARD, name="abpn", candidate=zoo.find("ABPN").build(3), latency=timed(40.0), other_times=()
)
FOUND = replace(CARD, name="found", candidate=zoo.find("XLSR").build(3), latency=timed(10.0))


@pytest.fixture
def place(console: Console, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Console:
    """Where "doubler" is a shipped model."""
    folder = tmp_path / "package"
    write_entry(folder, CARD)
    monkeypatch.setattr("nas.shipped.catalog.MODELS", folder)
    return console


def shipped_as(*cards: ModelCard) -> list[ShippedModel]:
    return [ShippedModel(card.name, Path(card.name), card) for card in cards]


def test_a_catalog_is_the_folders_with_a_card(tmp_path: Path) -> None:
    for name in ("b", "a"):
        write_entry(tmp_path, replace(CARD, name=name))
    (tmp_path / "README.md").touch()
    (tmp_path / "unfinished").mkdir()
    models = Catalog(tmp_path).models()
    assert [model.name for model in models] == ["a", "b"]
    assert models[0].card == replace(CARD, name="a")
    assert models[0].path.read_bytes() == TFLITE
    assert Catalog(tmp_path / "nowhere").models() == ()


def test_a_score_is_compared_with_that_of_abpn_trained_as_long() -> None:
    found, abpn = models = shipped_as(FOUND, ABPN)
    assert reference_of(found, models) is abpn
    # As good, in a quarter of the time.
    assert ratio_to(ABPN, FOUND, "ethos-u85-1024") == pytest.approx(4.0)
    assert ratio_to(ABPN, ABPN, "ethos-u85-1024") == 1.0
    assert ratio_to(ABPN, FOUND, "vs680") is None  # ABPN was not timed there
    half_a_db_more = tuple(
        replace(test, quality=figures(test.quality.psnr_db + 0.5)) for test in CARD.tests
    )
    better = replace(FOUND, tests=half_a_db_more)
    assert ratio_to(ABPN, better, "ethos-u85-1024") == pytest.approx(8.0)


@pytest.mark.parametrize(
    "abpn",
    [
        replace(ABPN, training={**ABPN.training, "steps": 10_000}),
        replace(ABPN, training={**ABPN.training, "patch": 64}),
        replace(ABPN, data_fingerprint="others"),
        replace(ABPN, candidate=zoo.find("ABPN").build(2)),
    ],
)
def test_an_abpn_of_another_training_is_no_reference(abpn: ModelCard) -> None:
    found, other = shipped_as(FOUND, abpn)
    assert reference_of(found, [found, other]) is None


SETS = st.lists(st.integers(0, 5), unique=True, max_size=4)


@given(SETS, SETS)
def test_only_images_that_both_were_tested_on_count(own: list[int], others: list[int]) -> None:
    def tested(card: ModelCard, numbers: Sequence[int], psnr_db: float) -> ModelCard:
        sets = (SetMeans(f"s{n}", n + 1, f"print{n}", figures(psnr_db + n)) for n in numbers)
        return replace(card, tests=tuple(sets))

    ratio = ratio_to(tested(ABPN, others, 28.0), tested(FOUND, own, 28.5), "ethos-u85-1024")
    if set(own) & set(others):
        assert ratio == pytest.approx(2.0 * 4.0)
    else:
        assert ratio is None


def test_the_list_tells_every_device(place: Console) -> None:
    heading, own, other = run(place.folder, "models", "list").splitlines()[1:]
    assert heading.split()[:5] == ["name", "scale", "Set5", "Set14", "steps"]
    assert own.split() == [
        "doubler", "2", "31.00", "27.50", "20,000", "1", "ethos-u85-1024", "-", "12.50", "ms"
    ]  # fmt: skip
    assert other.strip().startswith("vs680")
    assert other.endswith("20.00 ms predicted (15.00 to 30.00)")


def test_the_list_for_programs(place: Console) -> None:
    write_entry(place.folder / "package", ABPN)
    write_entry(place.folder / "package", FOUND)
    abpn, doubler, found = run_json(place.folder, "models", "list")
    assert [test["psnr_db"] for test in doubler["tests"]] == [31.0, 27.5]
    assert doubler["convention"] == "RGB, 2 pixels of border left out"
    assert doubler["times"][0]["score_to_abpn"] is None
    assert found["times"][0]["score_to_abpn"] == pytest.approx(4.0)
    assert abpn["times"][0]["score_to_abpn"] == 1.0


def test_without_any_model_the_list_says_so(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nas.shipped.catalog.MODELS", console.folder / "nowhere")
    assert console.run_whole("models", "list") == (0, "", "no model comes with this version\n")
    console.refuse(2, "those that come with nas: none", "models", "get", "doubler")


def test_a_model_is_handed_over_as_an_export_is(place: Console) -> None:
    said = run(place.folder, "models", "get", "doubler", "--out", "phone")
    folder = place.folder / "phone"
    names = {path.name for path in folder.iterdir()}
    assert names == {
        "int8_16x16.tflite", "uint8_16x16.tflite", "model.tflite", "card.json", "card.md", "RUN.md",
        "example.py", "SHA256SUMS",
    }  # fmt: skip
    assert (folder / "model.tflite").read_bytes() == TFLITE
    for line in (folder / "SHA256SUMS").read_text().splitlines():
        digest, name = line.split("  ")
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest
    card = (folder / "card.md").read_text()
    for told in ("31.000 dB", "| training images | CC0 |", "`uint8_16x16.tflite`", "`example.py`"):
        assert told in card
    assert "weights.npz" not in card
    assert json.loads((folder / "card.json").read_text())["name"] == "doubler"
    assert "benchmark_model" in (folder / "RUN.md").read_text()
    assert "nas upscale phone/model.tflite" in said
    assert "phone/RUN.md" in said
    image = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    for file in ("int8_16x16.tflite", "uint8_16x16.tflite"):
        np.testing.assert_array_equal(
            nas.upscale(folder / file, image), image.repeat(2, axis=0).repeat(2, axis=1)
        )


def test_what_others_wrote_is_not_replaced(place: Console) -> None:
    assert place.run("models", "get", "doubler") == (0, "")
    assert place.run("models", "get", "doubler") == (0, "")  # an export is
    Path("theirs").mkdir()
    Path("theirs/notes.txt").touch()
    place.refuse(2, "theirs: holds other files", "models", "get", "doubler", "--out", "theirs")
    place.refuse(2, "theirs/notes.txt", "models", "get", "doubler", "--out", "theirs/notes.txt")


def test_an_unknown_model_is_refused_with_those_there_are(place: Console) -> None:
    place.refuse(2, "'trippler'; those that come with nas: doubler", "models", "get", "trippler")
    place.refuse(2, "'../package/doubler'", "models", "get", "../package/doubler")
    with pytest.raises(InputError, match=r"'trippler'; of the zoo: .*ABPN.*; .*list`: doubler"):
        find_network("trippler", 3)


def test_its_name_goes_wherever_a_model_is_asked_for(place: Console) -> None:
    image = np.random.default_rng(0).integers(0, 256, (80, 80, 3), np.uint8)
    Path("photos").mkdir()
    write_image(Path("photos/0.png"), image)
    named, file = (
        run_json(place.folder, "evaluate", model, "--data", "photos")
        for model in ("doubler", "package/doubler/model.tflite")
    )
    assert named == file
    assert place.run("upscale", "doubler", "photos/0.png", "large.png")[0] == 0
    assert nas.upscale("doubler", image).shape == (160, 160, 3)
    assert nas.check("doubler").findings == nas.check("package/doubler/model.tflite").findings
    assert nas.evaluate("doubler", "photos").psnr_db == named["psnr_db"]


def test_its_own_file_is_timed_at_its_own_size(place: Console) -> None:
    device = "ethos-u85-1024"
    options = ("--device", device, "--input", "16x16")
    named, file = (
        run_json(place.folder, "latency", "predict", model, *options)
        for model in ("doubler", "package/doubler/model.tflite")
    )
    assert named["ms"] == file["ms"]


def test_a_path_is_one_though_it_be_called_like_a_shipped_model(place: Console) -> None:
    Path("doubler").mkdir()
    assert is_shipped("doubler")
    assert file_of("doubler") == place.folder / "package/doubler/model.tflite"
    for path in ("./doubler", Path("doubler")):
        assert file_of(path) == Path("doubler")
    assert network_path("doubler") is None
    assert network_path("./doubler") == Path("doubler")
    trained = find_network("doubler", 3).trained
    assert trained is not None
    assert trained.path.read_bytes() == TFLITE
