"""What a report says of a study."""

from __future__ import annotations

import html
from dataclasses import replace
from pathlib import Path

import optuna
import pytest
from optuna.distributions import IntDistribution

from nas.reporting.content import TrialStatus, collect
from nas.reporting.page import render
from nas.reporting.plots.importance import importance_plot, importances
from nas.reporting.plots.operators import operators_plot
from nas.reporting.plots.parallel import parallel_plot
from nas.reporting.sections import sections_of
from nas.reporting.table import columns, rows
from nas.studies.results import findings
from nas.studies.study import Study
from search_spaces import zoo

from ..studies.finished import finished_study
from .synthetic import make_study


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Study:
    monkeypatch.chdir(tmp_path)
    return make_study("s", 24)


def test_the_front_is_that_of_the_study_with_scores_over_abpn_s(study: Study) -> None:
    content = collect(study)
    found = findings(study)
    assert [network.trial for network in content.front] == [f.trial for f in found]
    assert [network.ratio for network in content.front] == [f.ratio_to_abpn for f in found]
    assert content.yardstick == "ABPN"
    assert {network.name: network.ratio for network in content.references}["ABPN"] == 1.0
    assert content.highlights[0].network == content.front[0]
    assert content.history[-1].best_ratio == max(n.ratio for n in content.candidates)


def test_without_abpn_the_best_network_is_the_unit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    content = collect(make_study("alone", 12, baselines=False))
    assert not content.has_abpn
    assert content.references == ()
    assert max(network.ratio for network in content.candidates) == pytest.approx(1.0)


def test_a_lead_by_predictions_says_what_of_it_is_doubt(study: Study) -> None:
    compiled = collect(study)
    assert compiled.lead is not None
    assert not compiled.lead.is_predicted
    predicted = collect(finished_study("predicted", [zoo.find("QuickSRNet-S").build(3)]))
    assert predicted.lead is not None
    page = html.unescape(render(predicted, (), "nobody asked"))
    assert f"Lead of the best score over ABPN: {predicted.lead.text}." in page
    assert predicted.front[0].result.latency.text in page


def test_every_trial_has_a_line_and_every_column_a_cell(study: Study) -> None:
    content = collect(study)
    statuses = [line.status for line in content.lines]
    assert len(statuses) == 26
    assert statuses.count(TrialStatus.REFERENCE) == 2
    assert statuses.count(TrialStatus.FRONT) == len(content.front)
    failed = [line for line in content.lines if line.status is TrialStatus.REFUSED]
    assert {line.remark.split(":")[0] for line in failed} == {"failed"}
    table = rows(content)
    assert len(table) == 26
    assert {len(row.cells) for row in table} == {len(columns(content))}
    scores = [row.cells[2].sort for row in table if row.cells[2].sort is not None]
    assert scores == sorted(scores, reverse=True)
    assert len(scores) == len(content.candidates) + 2


def test_a_study_without_a_trained_trial_has_a_report_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    content = collect(make_study("empty", 0, baselines=False))
    assert content.highlights == ()
    assert all(not section.groups for section in sections_of(content))


def test_operators_add_up_to_the_runtime_and_fallbacks_are_hatched(study: Study) -> None:
    content = collect(study)
    figure = operators_plot(content)
    for network in content.shown:
        total = sum(
            bar.x[list(bar.y).index(network.name)] for bar in figure.data if network.name in bar.y
        )
        assert total == pytest.approx(network.result.latency.ms)
    hatched = {bar.name for bar in figure.data if bar.marker.pattern.shape == "/"}
    assert hatched == {"DEPTH_TO_SPACE, CPU fallback"}


def test_importances_are_of_the_sampled_parameters_and_need_enough_trials(
    study: Study, tmp_path: Path
) -> None:
    shares = importances(collect(study))
    assert {"depth", "residual", "width_1", "width_2"} <= set(shares)
    assert sum(shares.values()) == pytest.approx(1)
    assert importance_plot(importances(collect(make_study("few", 5)))) is None


def test_a_parameter_of_one_value_has_no_importance(study: Study) -> None:
    content = collect(study)
    trials = tuple(
        optuna.create_trial(
            params={**trial.params, "always": 8},
            distributions={**trial.distributions, "always": IntDistribution(8, 64)},
            value=0.0,
        )
        for trial in content.trials
    )
    assert importances(replace(content, trials=trials)) == importances(content)


def test_parallel_coordinates_keep_trials_that_lack_a_parameter(study: Study) -> None:
    content = collect(study)
    # Of depth 1 there is no second half.
    lacking = [trial for trial in content.trials if "width_2" not in trial.params]
    assert lacking
    figure = parallel_plot(content, {"width_2": 1.0})
    assert figure is not None
    axes = {axis.label: axis for axis in figure.data[0].dimensions}
    assert {len(axis["values"]) for axis in axes.values()} == {len(content.candidates)}
    axis = axes["width_2"]
    absent = axis.tickvals[axis.ticktext.index("none")]
    assert sum(value == absent for value in axis["values"]) == len(lacking)
    assert absent < min(trial.params.get("width_2", 99) for trial in content.trials)
