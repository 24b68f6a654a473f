"""What a study's front says of its networks."""

from __future__ import annotations

from pathlib import Path

import pytest

from nas.studies.results import findings
from search_spaces import zoo

from .finished import finished_study


@pytest.mark.parametrize(
    ("network", "beaten_by"), [("FastSR", ("ABPN", "XLSR")), ("QuickSRNet-S", ())]
)
def test_a_network_is_beaten_by_what_has_its_psnr_in_less_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, network: str, beaten_by: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    study = finished_study("s", [zoo.find(network).build(3)])
    [finding] = findings(study)
    assert finding.beaten_by == beaten_by
    assert finding.row()["beaten_by"] == " ".join(beaten_by)
