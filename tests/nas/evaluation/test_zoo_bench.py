"""A row that a bench kept: used if it is of this bench, refused if it is damaged."""

from __future__ import annotations

from pathlib import Path

import pytest

from latency_models.device import load_device
from nas.data.images import load_data
from nas.evaluation.zoo_bench import Bench
from search_spaces import InputError, zoo

from ..commands import SMALL_PHOTOS


@pytest.mark.parametrize("content", ["", '{"identity": {', "[]", "3", "{}"])
def test_a_damaged_row_is_refused_before_anything_is_trained(tmp_path: Path, content: str) -> None:
    data = load_data(str(SMALL_PHOTOS), 3)
    tests = {"validation": data.validation}
    bench = Bench(data, tests, load_device("vs680"), 10, 0, tmp_path)
    row = tmp_path / "ABPN/row.json"
    row.parent.mkdir()
    row.write_text(content)
    with pytest.raises(InputError, match=r"row\.json: no whole row of a bench .*delete it"):
        bench.train(zoo.find("ABPN"), lambda progress: None)
    assert [path.name for path in row.parent.iterdir()] == ["row.json"]
