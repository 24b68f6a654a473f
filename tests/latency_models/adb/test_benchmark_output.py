from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latency_models.sources.adb.benchmark_output import read_timings
from latency_models.sources.adb.errors import DeviceError
from latency_models.sources.adb.statistics import RunStatistics

from .outputs import (
    INITIALIZATION_PROFILE,
    LITERT_SUMMARY,
    OLD_SUMMARY,
    PERCENTILES,
    PROFILE,
    RUNS,
    SUMMARY,
    VARIED,
)

WHOLE = RUNS.format(series=PERCENTILES) + SUMMARY.format(mean="36480.5")
OF_PERCENTILES = RunStatistics(60, 36.41, 35.9, 37.2)
OF_MEAN = RunStatistics(60, 36.4805, 35.81, 37.2805)


def prefixed(text: str, prefix: str) -> str:
    return "".join(f"{prefix}{line}\n" if line else "\n" for line in text.splitlines())


PREFIXES = [
    "",
    "INFO: ",
    "11-23 01:02:03.456  4021  4077 I tflite  : ",
    "I/tflite  ( 4021): ",
    "2018-09-10 12:36:26.109144: I tensorflow/lite/tools/benchmark/benchmark_model.cc:327] ",
    "11-23 01:02:03.456  4021  4077 I tflite  : INFO: ",
]


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize(
    ("series", "summary", "expected"),
    [
        (PERCENTILES, SUMMARY.format(mean="36480.5"), OF_PERCENTILES),
        (VARIED, SUMMARY.format(mean="36480.5"), OF_MEAN),
        (VARIED, OLD_SUMMARY.format(word="Inference", mean="36480.5"), OF_MEAN),
        (VARIED, OLD_SUMMARY.format(word="no stats", mean="36480.5"), OF_MEAN),
        (VARIED, SUMMARY.format(mean="36480.5").replace("First inf", "First inf"), OF_MEAN),
        (PERCENTILES, LITERT_SUMMARY.format(mean="36.48"), OF_PERCENTILES),
        ("count=1 curr=637079", SUMMARY.format(mean="637079"), RunStatistics(1, *[637.079] * 3)),
        ("count=4 curr=100(all same)", SUMMARY.format(mean="100"), RunStatistics(4, *[0.1] * 3)),
        (
            "count=50 first=1600000 curr=1599000 min=1598000 max=1600000 avg=1.59906e+06 std=500",
            SUMMARY.format(mean="1.59906e+06"),
            RunStatistics(50, 1599.06, 1598.06, 1600.0),
        ),
    ],
)
def test_every_version_is_read(
    prefix: str, series: str, summary: str, expected: RunStatistics
) -> None:
    text = prefixed(RUNS.format(series=series) + summary, prefix)
    for variant in (text, text.replace("\n", "\r\n"), text + INITIALIZATION_PROFILE + PROFILE):
        read = read_timings(variant)
        assert read.runs == expected.runs
        assert (read.low_ms, read.ms, read.high_ms) == pytest.approx(
            (expected.low_ms, expected.ms, expected.high_ms)
        )


def test_stray_lines_do_not_matter() -> None:
    stray = "type 54 str SoftmaxAxis0\nVx delegate: allowed_cache_mode set to 0.\n"
    assert read_timings(stray + WHOLE.replace("\n\n", f"\n{stray}\n")) == OF_PERCENTILES


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (PERCENTILES, "count=0", "count of 0"),
        (PERCENTILES, "", "2 series of runs announced and 1 reported"),
        (PERCENTILES, f"{PERCENTILES}\n{VARIED}", "2 series of runs announced and 3 reported"),
        (PERCENTILES, PERCENTILES[:-9], "garbled: 'count=60"),
        ("min=35810", "min=", "garbled"),
        ("min=35810", "min=-1", "garbled"),
        ("avg=36480.5", "avg=nan", "garbled"),
        ("avg=36480.5", "avg=3648.5", "mean of 3.6485 ms is summed up as 36.4805 ms"),
        ("(avg): 36480.5", "(avg): 3648", "mean of 36.4805 ms is summed up as 3.648 ms"),
        ("(avg): 36480.5", "(avg): inf", "the line with its inference timings is not there"),
        ("median=36410", "median=364100", "not in order"),
        ("max=41020", "max=4102", "are not 35.81 to 4.102"),
        ("first=36120", "first=3612", "3.612, 36.55"),
    ],
)
def test_what_is_garbled_is_refused(old: str, new: str, message: str) -> None:
    assert old in WHOLE
    text = WHOLE.replace(old, new)
    with pytest.raises(DeviceError, match=message.replace("(", r"\(")) as error:
        read_timings(text)
    assert error.value.text == text
    assert "\n" not in str(error.value)


@given(cut=st.integers(0, len(WHOLE)))
def test_truncated_text_never_yields_a_value(cut: int) -> None:
    end = WHOLE.index("\n", WHOLE.index("Inference timings in us")) + 1
    if cut >= end:
        assert read_timings(WHOLE[:cut]) == OF_PERCENTILES
    else:
        with pytest.raises(DeviceError):
            read_timings(WHOLE[:cut])


@given(data=st.data())
def test_lost_text_never_changes_the_value(data: st.DataObject) -> None:
    """A stretch that a slow log dropped."""
    start = data.draw(st.integers(0, len(WHOLE)))
    end = data.draw(st.integers(start, min(len(WHOLE), start + 200)))
    try:
        read = read_timings(WHOLE[:start] + WHOLE[end:])
    except DeviceError:
        return
    # A digit lost within one percentile cannot be told; it stays between its neighbors.
    assert 35.81 <= read.low_ms <= read.ms <= read.high_ms <= 41.02


@given(text=st.text() | st.binary().map(lambda data: data.decode(errors="replace")))
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(DeviceError):
        read_timings(text)


@given(
    times=st.lists(st.integers(50, 10**7), min_size=2, max_size=200),
    prefix=st.sampled_from(PREFIXES),
    digits=st.sampled_from(["g", ".6g", ".3f", ".6e"]),
)
def test_what_was_run_is_what_is_read(times: list[int], prefix: str, digits: str) -> None:
    ordered, mean = sorted(times), sum(times) / len(times)
    low, median, high = (ordered[len(times) * part // 100] for part in (5, 50, 95))
    series = (
        f"count={len(times)} first={times[0]} curr={times[-1]} min={ordered[0]} "
        f"max={ordered[-1]} avg={mean:{digits}} std=3 p5={low} median={median} p95={high}"
    )
    text = RUNS.format(series=series) + SUMMARY.format(mean=f"{mean:{digits}}")
    read = read_timings(prefixed(text, prefix))
    assert read.runs == len(times)
    assert (read.low_ms, read.ms, read.high_ms) == (low / 1e3, median / 1e3, high / 1e3)
