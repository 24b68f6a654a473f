"""Optuna's dashboard on a study, and what is attached to it."""

from __future__ import annotations

import hashlib
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import optuna_dashboard
import pytest
from optuna.trial import Trial, TrialState
from playwright.sync_api import Browser, Page, TimeoutError

from latency_models import Worker
from nas.reporting.attachments import Attachments
from nas.reporting.content import collect
from nas.reporting.previews import Previewer
from nas.studies.folder import StudyFolder
from nas.studies.results import findings
from nas.studies.study import Study, load_study

from ..commands import start
from ..console import Console
from .browser import Visit, keep_screenshot, visiting
from .synthetic import make_study


@dataclass(frozen=True)
class Served:
    """A dashboard that runs, on a study in ``folder``."""

    folder: Path
    process: subprocess.Popen[str]
    #: of the study's page, and of the server
    address: str
    root: str


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("dashboard")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        make_study("s", 12)
    process = start(folder, "dashboard", "s", "--port", "0")
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line.startswith("dashboard: http://127.0.0.1:"), process.communicate()[1]
    address = line.split()[1]
    yield Served(folder, process, address, address.partition("/dashboard")[0])
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=600)
    assert (process.returncode, errors) == (130, "")


@pytest.fixture
def study(served: Served, monkeypatch: pytest.MonkeyPatch) -> Study:
    monkeypatch.chdir(served.folder)
    return load_study("s")


@pytest.fixture(scope="module")
def opened(browser: Browser, served: Served) -> Iterator[Visit]:
    """Chromium takes much longer to open the first page of a visit than any after it."""
    with visiting(browser, "about:blank", served.root) as visit:
        yield visit


@pytest.fixture
def page(opened: Visit) -> Iterator[Page]:
    yield opened.page
    opened.require_faultless()


def test_the_study_s_page_shows_our_plots(page: Page, served: Served, kept: Path) -> None:
    page.goto(served.address)
    for title in ("Pareto front", "Where the time goes", "What INT8 cost"):
        page.locator(".js-plotly-plot .gtitle", has_text=title).wait_for()
    assert page.get_by_text("ABPN, trained here").count() > 0
    page.get_by_text("ABPN, trained here").first.scroll_into_view_if_needed()
    keep_screenshot(page, kept, "dashboard-study")


def test_a_trial_of_the_front_carries_its_model_its_picture_and_its_card(
    page: Page, served: Served, study: Study, kept: Path
) -> None:
    best = findings(study)[0]
    page.goto(f"{served.address}/trials?numbers={best.trial}")
    page.get_by_text(f"{best.result.psnr_db:.3f} dB on embedded").wait_for()
    with page.expect_download() as waiting:
        page.locator(f"a[download='trial{best.trial:04d}.tflite']").click()
    model = study.folder.model(best.candidate) / "model.tflite"
    assert waiting.value.path().read_bytes() == model.read_bytes()
    picture = page.locator(f"img[alt='trial{best.trial:04d}-preview.png']")
    for _ in range(6):  # it is painted beside the server, which need not wait for it
        try:
            picture.first.wait_for(timeout=10_000)
            break
        except TimeoutError:
            page.reload()
    picture.first.scroll_into_view_if_needed()
    page.wait_for_function(
        "name => [...document.images].some(i => i.alt === name && i.naturalWidth > 900)",
        arg=f"trial{best.trial:04d}-preview.png",
    )
    keep_screenshot(page, kept, "dashboard-trial")


def test_a_search_goes_on_beside_it(page: Page, served: Served, study: Study) -> None:
    """Begins and ends a trial while the page asks for news; then the page has it, too."""
    before = len(study.records())
    page.goto(served.address)
    trial = study.optuna.ask()
    trial.set_user_attr("reason", "while somebody looks")
    study.optuna.tell(trial, state=TrialState.FAIL)
    page.goto(f"{served.address}/trials?numbers={trial.number}")
    page.get_by_text("while somebody looks").wait_for()
    assert len(study.records()) == before + 1
    assert list((study.folder.path / "locks").glob("*.lock")) == []


def attached(study: Study) -> tuple[dict[str, Any], dict[str, str]]:
    """The study's attributes and its artifact files' digests."""
    attributes = study.optuna._storage.get_study_system_attrs(study.optuna._study_id)
    files = (study.folder.path / "artifacts").iterdir()
    return attributes, {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Study:
    monkeypatch.chdir(tmp_path)
    return make_study("own", 6)


def attach_all(study: Study, worker: Worker) -> None:
    content, attachments = collect(study), Attachments(study)
    attachments.attach(content)
    attachments.attach_previews(content.front, Previewer(study, worker, 1))


def test_attaching_again_changes_nothing(own: Study) -> None:
    with Worker() as worker:
        attach_all(own, worker)
        first = attached(own)
        attach_all(own, worker)
    assert attached(own) == first
    assert len(first[1]) == 2 * len(findings(own))


def test_a_note_that_a_person_wrote_stays(own: Study) -> None:
    front = findings(own)
    study = own.optuna
    trial_id = study.get_trials()[front[0].trial]._trial_id
    optuna_dashboard.save_note(Trial(study, trial_id), "mine")
    Attachments(own).attach(collect(own))
    assert optuna_dashboard.get_note(Trial(study, trial_id)) == "mine"


def test_a_note_follows_a_latency_that_was_measured_since(own: Study) -> None:
    content = collect(own)
    Attachments(own).attach(content)
    network = content.front[0]
    measured = replace(network, device="board")
    Attachments(own).attach(replace(content, front=(measured,)))
    study = own.optuna
    trial_id = study._storage.get_trial_id_from_study_id_trial_number(
        study._study_id, network.trial
    )
    assert " on board, " in optuna_dashboard.get_note(Trial(study, trial_id))


def test_an_artifact_that_was_lost_is_attached_again(own: Study) -> None:
    attachments = Attachments(own)
    attachments.attach(collect(own))
    files = list((own.folder.path / "artifacts").iterdir())
    files[0].unlink()
    attachments.attach(collect(own))
    assert files[0].is_file()


def test_a_model_of_another_machine_is_left_out(own: Study) -> None:
    finding = findings(own)[0]
    (own.folder.model(finding.candidate) / "model.tflite").unlink()
    attachments = Attachments(own)
    attachments.attach(collect(own))
    with Worker() as worker:
        previewer = Previewer(own, worker, 1)
        attachments.attach_previews(collect(own).front[:1], previewer)
    assert len(list((own.folder.path / "artifacts").iterdir())) == len(findings(own)) - 1


def test_addresses_that_cannot_be_had_are_told(console: Console, served: Served) -> None:
    make_study("s", 1, baselines=False)
    port = served.root.rpartition(":")[2]
    code, errors = console.run("dashboard", "s", "--port", port)
    assert (code, "choose another by --port" in errors) == (2, True)
    code, errors = console.run("dashboard", "s", "--host", "192.0.2.1", "--port", "0")
    assert (code, "192.0.2.1" in errors) == (2, True)
    console.refuse(2, "no study 't'", "dashboard", "t")


def test_a_study_in_a_database_that_machines_share(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = make_study("s", 3, baselines=False)
    url = f"sqlite:///{study.folder.database.resolve()}"
    (console.folder / "other").mkdir()
    monkeypatch.chdir(console.folder / "other")
    code, errors = console.run("report", "s", "--storage", url)
    assert (code, errors) == (0, "")
    assert (StudyFolder.named("s").path / "report.html").is_file()
