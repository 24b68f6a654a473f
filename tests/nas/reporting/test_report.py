"""The report as a person sees it: in a browser that reaches nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page

from nas.reporting.report import write_report
from nas.studies.results import ParetoPoint, findings

from ..console import Console
from .browser import Visit, draw_all, keep_sections, visiting
from .synthetic import HOSTILE, enlarged, make_study

#: Marks that a drawn plot has at least so many of: points, bars, or lines on a canvas.
MARKS = {
    "plot-front": ".scatterlayer .points path",
    "plot-progress-trials": ".scatterlayer .points path",
    "plot-importance": ".barlayer .point",
    "plot-parallel": "canvas.gl-canvas",
    "plot-operators": ".barlayer .point",
    "plot-drop": ".scatterlayer .points path",
}


@dataclass(frozen=True)
class Report:
    """One study's report, and what it has to say."""

    path: Path
    trials: int
    findings: tuple[ParetoPoint, ...]

    @property
    def address(self) -> str:
        return self.path.as_uri()


def make_report(folder: Path, trials: int) -> Report:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        study = enlarged(make_study("s", 30), trials - 30)
        path = write_report(study).path.resolve()
        return Report(path, len(study.records()), findings(study))


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    return make_report(tmp_path_factory.mktemp("report"), 30)


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Report:
    return make_report(tmp_path_factory.mktemp("large"), 1000)


@pytest.fixture(scope="module")
def opened(browser: Browser, report: Report) -> Iterator[Visit]:
    """Chromium takes four times as long to open the first page of a visit as to load it anew."""
    with visiting(browser, report.address, report.address) as visit:
        yield visit


@pytest.fixture
def page(opened: Visit) -> Iterator[Page]:
    """The report as it is when it is opened."""
    opened.page.emulate_media(color_scheme="light")
    opened.page.reload()
    yield opened.page
    opened.require_faultless()


def require_every_plot(page: Page, kept: Path, name: str) -> None:
    assert set(draw_all(page)) == set(MARKS)
    for plot, marks in MARKS.items():
        assert page.locator(f"#{plot} {marks}").count() > 0, plot
    points = page.locator("#plot-front .scatterlayer .points path").count()
    trained = page.locator("#table td.number:nth-child(3)[data-sort]").count()
    assert points == trained
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    keep_sections(page, kept, f"report-{name}")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_plot_is_drawn_without_a_fault_or_a_request(
    page: Page, kept: Path, scheme: Literal["light", "dark"]
) -> None:
    page.emulate_media(color_scheme=scheme)
    page.reload()
    require_every_plot(page, kept, scheme)


def test_every_plot_is_drawn_on_a_phone(browser: Browser, report: Report, kept: Path) -> None:
    with visiting(browser, report.address, report.address, width=390) as visit:
        require_every_plot(visit.page, kept, "phone")
    visit.require_faultless()


def test_scores_are_ratios_to_abpn_s_of_the_study(page: Page, report: Report) -> None:
    best = report.findings[0]
    assert page.locator(".card .ratio").first.inner_text() == (
        f"{best.ratio_to_abpn:.2f} × ABPN’s score"
    )
    (abpn,) = page.locator("#table tr", has_text="ABPN").filter(has_text="reference").all()
    assert abpn.locator("td").nth(2).inner_text() == "1.000"
    # The published score is of other images, another device, and nowhere beside ours.
    assert "92.7" not in page.locator("body").inner_text()


def test_text_of_the_study_stays_text(page: Page) -> None:
    assert page.locator("#table td", has_text=HOSTILE).count() == 3


def cells(page: Page, column: int) -> list[str]:
    texts: list[str] = page.eval_on_selector_all(
        f"#table tbody tr:not([hidden]) td:nth-child({column})",
        "cells => cells.map(cell => cell.textContent)",
    )
    return texts


def numbers(page: Page, column: int) -> list[float]:
    return [float(text.replace(",", "")) for text in cells(page, column) if text]


def test_the_table_sorts_by_mouse_and_by_keyboard(page: Page, report: Report) -> None:
    headers = page.locator("#table th")
    score, runtime = headers.nth(2), headers.nth(5)
    assert score.get_attribute("aria-sort") == "descending"
    best_first = numbers(page, 3)
    assert best_first == sorted(best_first, reverse=True)
    runtime.get_by_role("button").click()
    assert runtime.get_attribute("aria-sort") == "ascending"
    assert score.get_attribute("aria-sort") is None
    fastest_first = numbers(page, 6)
    assert fastest_first == sorted(fastest_first)
    runtime.get_by_role("button").press("Enter")
    assert runtime.get_attribute("aria-sort") == "descending"
    assert numbers(page, 6) == fastest_first[::-1]
    # Trials without a runtime stay at the end, whichever way.
    assert [text == "" for text in cells(page, 6)] == [False] * 29 + [True] * 3
    assert len(cells(page, 1)) == report.trials


def test_the_table_filters(page: Page, report: Report) -> None:
    page.get_by_label("Show").select_option("front")
    assert sorted(numbers(page, 1)) == sorted(f.trial for f in report.findings)
    page.get_by_label("Show").select_option("")
    first, second = cells(page, 13)[0].split(", ")[:2]
    page.get_by_label("Find").fill(f" {second.upper()},{first}")
    assert cells(page, 13)
    assert all({first, second} <= set(text.split(", ")) for text in cells(page, 13))
    shown = len(cells(page, 1))
    assert page.locator("#count").inner_text() == f"{shown} of {report.trials} trials"
    page.get_by_label("Find").fill("no such trial")
    assert cells(page, 1) == []


def test_the_divider_moves_and_pictures_are_chosen(page: Page) -> None:
    comparison = page.locator("[data-comparison]").first
    slider = comparison.get_by_role("slider")
    left = comparison.locator(".stage .left")

    def right_edge() -> str:
        shape: str = left.evaluate("image => getComputedStyle(image).clipPath")
        return shape

    before = right_edge()
    slider.press("ArrowRight")
    assert slider.input_value() == "51"
    assert right_edge() != before
    slider.press("End")
    assert slider.input_value() == "100"
    stage = comparison.locator(".stage")
    box = stage.bounding_box()
    assert box is not None
    stage.click(position={"x": box["width"] / 4, "y": 10})
    assert abs(float(slider.input_value()) - 25) <= 1
    comparison.get_by_label("Left").select_option("HR")
    original = comparison.locator("[data-crop=HR]").get_attribute("src")
    assert left.get_attribute("src") == original
    assert left.get_attribute("alt") == "left: HR"


def test_progress_is_shown_over_trials_or_over_time(page: Page) -> None:
    time = page.locator("#plot-progress-time")
    assert not time.is_visible()
    page.get_by_role("radio", name="trials").press("ArrowRight")
    page.wait_for_selector("#plot-progress-time[data-drawn]")
    assert time.is_visible()
    assert not page.locator("#plot-progress-trials").is_visible()


def test_plots_follow_the_reader_s_theme(page: Page) -> None:
    draw_all(page)
    text = page.locator("#plot-drop .xtitle")

    def color() -> str:
        value: str = text.evaluate("text => getComputedStyle(text).fill")
        return value

    light = color()
    page.emulate_media(color_scheme="dark")
    page.wait_for_function(
        "light => getComputedStyle(document.querySelector('#plot-drop .xtitle')).fill !== light",
        arg=light,
    )


def test_everything_can_be_reached_by_keyboard(page: Page) -> None:
    """Tab comes to the slider, the table's headings and filters, and shows where it is."""
    reached = set()
    for _ in range(120):
        page.keyboard.press("Tab")
        reached.add(
            page.evaluate(
                "(() => { const e = document.activeElement; const s = getComputedStyle(e);"
                " return e.closest('th') ? 'heading' : (e.type || e.localName)"
                " + (s.outlineStyle === 'none' ? ' unseen' : ''); })()"
            )
        )
    assert {"a", "range", "select-one", "search", "heading"} <= reached


def cpu_seconds_to_open(visit: Visit, report: Report) -> float:
    """The page's own processor time until its first plot is drawn, whatever else the machine does.

    That plot is the only one: those out of sight wait until they are nearly seen.
    """
    visit.allowed = report.address
    session = visit.page.context.new_cdp_session(visit.page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})
    visit.page.goto(report.address)
    visit.page.wait_for_selector("#plot-front[data-drawn]")
    assert visit.page.locator("[data-drawn]").count() < len(MARKS)
    metrics = session.send("Performance.getMetrics")["metrics"]
    return next(float(m["value"]) for m in metrics if m["name"] == "TaskDuration")


def test_a_thousand_trials_open_as_a_few_do(
    browser: Browser, report: Report, large: Report, kept: Path
) -> None:
    """What a reader waits for hardly grows: most of it is the drawing library."""
    with visiting(browser, "about:blank", "about:blank") as visit:
        few = cpu_seconds_to_open(visit, report)
    visit.require_faultless()
    with visiting(browser, "about:blank", "about:blank") as visit:
        many = cpu_seconds_to_open(visit, large)
        figures = {"trials": large.trials, "cpu_seconds": many, "cpu_seconds_with_30_trials": few}
        (kept / "opening.json").write_text(json.dumps(figures))
        assert many < 3 * few
        assert len(cells(visit.page, 1)) == large.trials == 1002
        assert draw_all(visit.page) == list(MARKS)
    visit.require_faultless()


def test_the_command_says_where_the_report_is(console: Console) -> None:
    make_study("s", 3, baselines=False)
    code, errors = console.run("report", "s", "--out", "elsewhere/r.html")
    assert (code, errors) == (0, "")
    text = (console.folder / "elsewhere/r.html").read_text()
    assert "ABPN was left out" in text
    assert "nas search --study s" in text
    console.refuse(2, "is a folder", "report", "s", "--out", ".")
    console.refuse(2, "no study 't'", "report", "t")
