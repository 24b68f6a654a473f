"""A row that a bench kept: used if it is of this bench, refused if it is damaged."""

from __future__ import annotations

from pathlib import Path

import pytest

from latency_models.device import load_device
from nas.data.images import load_data
from nas.evaluation.zoo_bench import Bench
from nas.system.files import write_json
from search_spaces import InputError, zoo

from ..commands import SMALL_PHOTOS


def bench_in(folder: Path) -> Bench:
    data = load_data(str(SMALL_PHOTOS), 3)
    return Bench(data, {"validation": data.validation}, load_device("vs680"), 10, 0, folder)


@pytest.mark.parametrize("content", ["", '{"identity": {', "[]", "3", "{}"])
def test_a_damaged_row_is_refused_before_anything_is_trained(tmp_path: Path, content: str) -> None:
    bench = bench_in(tmp_path)
    row = tmp_path / "ABPN/row.json"
    row.parent.mkdir()
    row.write_text(content)
    with pytest.raises(InputError, match=r"row\.json: no whole row of a bench .*delete it"):
        bench.train(zoo.find("ABPN"), lambda progress: None)
    assert [path.name for path in row.parent.iterdir()] == ["row.json"]


def test_what_another_version_trained_is_no_row_of_this_bench(tmp_path: Path) -> None:
    bench, network = bench_in(tmp_path), zoo.find("ABPN")
    training = bench.training(network)
    theirs = {**training.identity, "method": training.identity["method"] - 1}
    own = {"name": training.name, "identity": theirs}
    write_json(training.folder / "training.json", own)
    write_json(training.folder / "row.json", {**own, "trained": {}})
    with pytest.raises(InputError, match="a version of nas that trains otherwise"):
        bench.train(network, lambda progress: None)
