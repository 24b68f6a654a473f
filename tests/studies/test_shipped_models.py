"""The models that come with the package: shipping one, and the plot of them and all others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import nas
from nas.data.images import write_image
from nas.evaluation.model_card import ModelCard
from nas.shipped.catalog import MODELS, Catalog, ShippedModel
from nas.system.files import write_json, write_whole
from search_spaces import InputError, NasError, zoo
from studies.shipped_models.plot import DEVICES, Entry, panel, public_files, published
from studies.shipped_models.plot import entries_of as plotted
from studies.shipped_models.ship import Shipping, require_whole

from ..nas.shipped.entries import CARD, TFLITE, write_entry
from ..nas.tiny_model import make_tflite

#: As a training leaves it: on somebody's disk, and without what shipping adds.
TRAINED = replace(
    CARD, name="net", data="/home/me/photos", device_found_as="devices/u85", images_license="",
    tests=(), other_times=(), tflite_kb=None, command="nas search --data /home/me/photos",
)  # fmt: skip


@pytest.fixture
def shipping(tmp_path: Path) -> Shipping:
    random = np.random.default_rng(0)
    for name in ("Set5", "Set14"):
        write_image(tmp_path / name / "0.png", random.integers(0, 256, (80, 90, 3), np.uint8))
    sets = (tmp_path / "Set5", tmp_path / "Set14")
    return Shipping("new", "CC0", sets, ("ethos-u85-1024", "vs680"), tmp_path / "models")


def trained(folder: Path, card: ModelCard = TRAINED, tflite: bytes = TFLITE) -> Path:
    write_whole(folder / "model.tflite", tflite)
    write_json(folder / "card.json", {**card.to_json(), "identity": {}})
    return folder


def test_a_training_s_folder_becomes_a_model(shipping: Shipping, tmp_path: Path) -> None:
    model = shipping.run(trained(tmp_path / "out"))
    assert Catalog(shipping.target).models() == (model,)
    require_whole(model)
    card = model.card
    assert (card.name, card.data, card.images_license) == ("new", "photos", "CC0")
    assert [(test.name, test.images) for test in card.tests] == [("Set5", 1), ("Set14", 1)]
    judged = nas.evaluate(model.path, tmp_path / "Set14")
    assert card.tests[1].quality == judged.rgb
    assert [time.device for time in card.times] == ["ethos-u85-1024", "vs680"]
    assert card.latency == TRAINED.latency
    assert card.times[1].latency.ms == nas.predict_latency(model.path, "vs680").ms
    assert str(tmp_path) not in (model.path.parent / "card.json").read_text()
    assert "/home/me" not in (model.path.parent / "card.json").read_text()


def test_so_does_a_point_of_a_front(shipping: Shipping, tmp_path: Path) -> None:
    write_whole(tmp_path / "pareto/rank01.tflite", TFLITE)
    write_json(tmp_path / "pareto/rank01.json", TRAINED.to_json())
    quick = replace(shipping, devices=())
    assert quick.run(tmp_path / "pareto/rank01.tflite").path.read_bytes() == TFLITE


def test_a_model_is_replaced_only_if_it_is_asked_for(shipping: Shipping, tmp_path: Path) -> None:
    quick, source = replace(shipping, devices=()), trained(tmp_path / "out")
    quick.run(source)
    with pytest.raises(InputError, match="--replace"):
        quick.run(source)
    longer = replace(TRAINED, training={**TRAINED.training, "steps": 60_000})
    quick.run(trained(source, longer), replace_old=True)
    (model,) = Catalog(shipping.target).models()
    assert model.card.training["steps"] == 60_000


def test_nothing_is_written_of_what_is_refused(shipping: Shipping, tmp_path: Path) -> None:
    quick = replace(shipping, devices=())
    short = replace(TRAINED, training={**TRAINED.training, "steps": 300})
    with pytest.raises(InputError, match="fewer than 10,000 steps"):
        quick.run(trained(tmp_path / "short", short))
    with pytest.raises(InputError, match="not evaluated on Set5 and Set14"):
        replace(quick, tests=quick.tests[:1]).run(trained(tmp_path / "out"))
    with pytest.raises(InputError, match="nowhere: cannot be read"):
        quick.run(tmp_path / "nowhere")
    assert not shipping.target.exists()


def _named(name: str) -> Callable[[ModelCard], ModelCard]:
    return lambda card: replace(card, name=name)


@pytest.mark.parametrize(
    ("change", "tflite", "told"),
    [
        (lambda card: card, make_tflite(float32=True), "float"),
        (lambda card: card, make_tflite(inputs=2), "input"),
        (lambda card: replace(card, candidate=zoo.find("ABPN").build(2)), TFLITE, "its graph"),
        (lambda card: replace(card, tflite_kb=9.0), TFLITE, "another size"),
        (lambda card: replace(card, training={}), TFLITE, "fewer than 10,000 steps"),
        (lambda card: replace(card, tests=card.tests[:1]), TFLITE, "not evaluated on"),
        (lambda card: replace(card, latency=None, other_times=()), TFLITE, "no time"),
        (lambda card: replace(card, images_license=" "), TFLITE, "license"),
        (lambda card: replace(card, data="/home/me/photos"), TFLITE, "/home/me/photos"),
        (_named("abpn"), TFLITE, "network of the zoo"),
    ],
)
def test_a_model_that_is_not_whole_is_told_so(
    change: Callable[[ModelCard], ModelCard], tflite: bytes, told: str, tmp_path: Path
) -> None:
    card = change(CARD)
    write_entry(tmp_path, card, tflite)
    with pytest.raises(NasError, match=told):
        require_whole(Catalog(tmp_path).find(card.name))


def test_the_models_of_the_package_are_whole() -> None:
    """All that lie there, and no fewer."""
    models = nas.models()
    assert {path.name for path in MODELS.iterdir() if path.is_dir()} == {m.name for m in models}
    for model in models:
        require_whole(model)
        files = {path.name for path in model.path.parent.iterdir()}
        assert files == {"model.tflite", "card.json"}


def test_the_plot_tells_everybody_s_name_time_and_psnr() -> None:
    found = replace(CARD, name="found", candidate=zoo.find("ABPN").build(3))
    models = [ShippedModel(card.name, Path(card.name), card) for card in (CARD, found)]
    (ours,) = plotted(models)  # the other is of x2
    assert (ours.name, ours.psnr_db) == ("found", 31.0)
    rival = Entry("rival <1>", 30.9, "#000", {DEVICES[0]: 40.0}, "ABPN")
    for device, ms in zip(DEVICES, (12.5, 20.0), strict=True):
        drawn = panel([ours, rival, Entry("untimed", 31.0, "#000")], device)
        assert [point.label for point in drawn.points][:1] == ["found"]
        assert (drawn.points[0].x, drawn.points[0].y) == (ms, 31.0)
    svg = drawn.svg()
    assert "rival &lt;1&gt;" in svg
    assert "come with nas" in svg
    assert "untimed" not in svg
    assert drawn.points[1].x == nas.predict_latency("ABPN", "vs680").ms


def test_what_is_far_off_is_left_out_of_the_plot() -> None:
    def entry(name: str, psnr_db: float, ms: float) -> Entry:
        return Entry(name, psnr_db, "#000", {DEVICES[0]: ms})

    drawn = panel([entry("good", 31, 10), entry("bad", 29, 10), entry("slow", 31, 300)], DEVICES[0])
    assert [point.label for point in drawn.points] == ["good"]


def test_the_figures_of_the_plot_are_there() -> None:
    theirs = {entry.name: entry for entry in published()}
    assert theirs.keys() == {network.name for network in zoo.ZOO}
    assert all(entry.ms(DEVICES[0]) for entry in theirs.values())
    assert {entry.psnr_db for entry in public_files()} >= {31.48}
