"""What of a network's lead over another is doubt."""

from __future__ import annotations

import pytest

from nas.choices import Risk
from nas.quality.score import scored_ms
from nas.studies.lead import Lead
from nas.studies.record import Result, pareto_front

from ..records import make_record, make_result, predicted

#: Of the same PSNR: called twice as fast, but hardly known.
DOUBTFUL = predicted(5.0, 10.0, 30.0)
KNOWN = predicted(19.0, 20.0, 21.0)


def results(risk: Risk = Risk.MEAN) -> list[Result]:
    return [make_result(30.0, latency=latency, risk=risk) for latency in (DOUBTFUL, KNOWN)]


def test_a_lead_at_the_predictions_at_the_means_and_at_the_ends() -> None:
    lead = Lead.of(*results())
    assert lead.predicted == pytest.approx(2.0)
    assert lead.least == pytest.approx(19 / 30)
    assert lead.most == pytest.approx(21 / 5)
    mean = scored_ms(KNOWN, Risk.MEAN) / scored_ms(DOUBTFUL, Risk.MEAN)
    assert lead.mean == pytest.approx(mean)
    assert lead.from_doubt == pytest.approx(2.0 - mean)
    assert lead.from_doubt > 0.3
    assert lead.text == (
        f"2.00 x at the predicted latencies, {mean:.2f} x at the means over their intervals "
        f"(+{2 - mean:.2f} is doubt), 0.63 x to 4.20 x at the intervals' ends"
    )


@pytest.mark.parametrize("risk", Risk)
def test_what_counts_is_the_study_s_choice(risk: Risk) -> None:
    lead = Lead.of(*results(risk))
    upper = KNOWN.high_ms / DOUBTFUL.high_ms
    counted = {Risk.MEAN: lead.mean, Risk.POINT: lead.predicted, Risk.UPPER: upper}
    assert lead.counted == pytest.approx(counted[risk])


def test_of_measured_latencies_all_are_the_same() -> None:
    lead = Lead.of(make_result(30.0, 10.0), make_result(30.0, 20.0))
    assert not lead.is_predicted
    for ratio in (lead.counted, lead.predicted, lead.mean, lead.least, lead.most):
        assert ratio == pytest.approx(2.0)
    assert lead.from_doubt == 0
    assert lead.text == "2.00 x"


@pytest.mark.parametrize(("risk", "front"), [(Risk.POINT, [0]), (Risk.UPPER, [1])])
def test_the_front_is_that_of_the_times_that_count(risk: Risk, front: list[int]) -> None:
    """So the best score is on it."""
    records = [make_record(number, result=one) for number, one in enumerate(results(risk))]
    assert [record.number for record in pareto_front(records)] == front


@pytest.mark.parametrize("risk", Risk)
def test_a_result_is_read_as_it_was_written(risk: Risk) -> None:
    for written in results(risk):
        assert Result.from_attributes(written.to_attributes()) == written


def test_a_result_of_an_earlier_version_counts_at_its_prediction() -> None:
    attributes = results(Risk.MEAN)[0].to_attributes()
    del attributes["risk"]
    assert Result.from_attributes(attributes).scored_ms == DOUBTFUL.ms
