"""What a study's front says of its networks."""

from __future__ import annotations

from pathlib import Path

import pytest

from nas.reporting.content import collect
from nas.studies.results import findings
from search_spaces import zoo

from ..console import Console
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


def test_a_front_says_what_of_its_lead_is_doubt(console: Console) -> None:
    study = finished_study("s", [zoo.find("QuickSRNet-S").build(3)])
    [finding] = findings(study)
    assert finding.lead is not None
    code, output, _ = console.run_whole("pareto", "s")
    assert code == 0
    assert f"lead of rank 1 over ABPN: {finding.lead.text}" in output
    row = finding.row()
    assert row["score_to_abpn"] == row["score_to_abpn_mean"] == finding.lead.mean
    assert row["score_to_abpn_least"] < row["score_to_abpn_predicted"] < row["score_to_abpn_most"]
    assert collect(study).lead == finding.lead
