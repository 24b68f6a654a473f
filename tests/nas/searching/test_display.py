"""What is told of a search: in words, through pipes, and on a terminal that stays whole."""

from __future__ import annotations

import io
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas.quality_model.expectation import ExpectedPsnr
from nas.searching.display import EventPipe, Lines, Reporter, SearchEvent
from nas.searching.worker_processes import run_worker_processes
from nas.studies.expected_front import ExpectedFront, ExpectedPoint
from nas.studies.record import Outcome, TrialRecord
from nas.system.cores import Cores

from ..commands import QUICK, ROOT, run_json
from ..records import make_record, make_result


class Heard(Lines):
    """A display that remembers."""

    def __init__(self) -> None:
        super().__init__()
        self.stages: list[tuple[str, str]] = []
        self.lines: list[str] = []
        self.refreshed = 0

    def stage(self, worker: str, text: str) -> None:
        self.stages.append((worker, text))

    def line(self, text: str) -> None:
        self.lines.append(text)

    def refresh(self) -> None:
        self.refreshed += 1


#: None of it is asked.
NO_STUDY: Any = None
ABPN = make_record(0, baseline="ABPN", result=make_result(29.0, 40.0))


@pytest.mark.parametrize(
    ("said", "record", "known"),
    [
        ("trial 3: 29.50 dB INT8 (drop +0.010), 29.50 ± 0.00 dB expected, 40.00 ms, "
            "score 2.00 x ABPN, 10 s",
         make_record(3, result=make_result(29.5, 40.0)), (ABPN,)),
        ("trial 3: 29.50 dB INT8 (drop +0.010), 29.50 ± 0.00 dB expected, 40.00 ms, "
            "score -, 10 s",
         make_record(3, result=make_result(29.5, 40.0)), ()),
        ("trial 0 (ABPN): 29.00 dB INT8 (drop +0.010), 29.00 ± 0.00 dB expected, 40.00 ms, "
            "score 1.00 x ABPN, 10 s",
         ABPN, ()),
        ("trial 4: failed: because", make_record(4, Outcome.FAILED), (ABPN,)),
        ("trial 4: interrupted: because", make_record(4, None), ()),
    ],
)  # fmt: skip
def test_a_trial_in_words(said: str, record: TrialRecord, known: tuple[TrialRecord, ...]) -> None:
    heard = Heard()
    reporter = Reporter(NO_STUDY, heard, "w")
    reporter.stage(record.number, "latency")
    reporter.ended(record, (*known, record))
    assert heard.lines == [said]
    assert heard.stages == [("w", f"trial {record.number}: latency"), ("w", "next trial")]
    assert heard.refreshed == 1


class Foresighted:
    """A study that keeps what was expected of it."""

    kept: ExpectedFront | None = None

    def expected_front(self) -> ExpectedFront | None:
        return self.kept

    def note_expected_front(self, front: ExpectedFront) -> None:
        self.kept = front


def test_what_is_expected_is_shown_once_a_study_by_the_display_s_own_thread() -> None:
    psnr = ExpectedPsnr.around(29.5, 0.3)
    front = ExpectedFront((ExpectedPoint(3.0, psnr, 1.5), ExpectedPoint(None, psnr, None)))
    study, heard = Foresighted(), Heard()
    for worker in ("one", "another"):
        reporter: Any = Reporter(study, heard, worker)  # type: ignore[arg-type]
        thread = Thread(target=reporter.front_expected, args=(front,))
        thread.start()
        thread.join()
        assert len(heard.lines) == (worker == "another")
        reporter.stage(0, "latency")
    assert heard.lines == [
        "expected before any training, PSNR after 10,000 steps:\n"
        "       3.00 ms  29.50 ± 0.30 dB  score 1.50 x ABPN\n"
        "             -  29.50 ± 0.30 dB  score -"
    ]


@given(st.text(), st.text())
def test_what_goes_through_a_pipe_is_what_comes_out(stage: str, line: str) -> None:
    stream, heard = io.StringIO(), Heard()
    pipe = EventPipe(stream)
    pipe.stage("", stage)
    pipe.line(line)
    pipe.refresh()
    for text in stream.getvalue().splitlines():
        SearchEvent.from_json(text).show_on(heard, "worker 1")
    assert heard.stages == [("worker 1", stage)]
    assert heard.lines == [f"[worker 1] {line}"]
    assert heard.refreshed == 1


MEMBER = """
import sys
sys.path.insert(0, {root!r})
from nas.searching.worker_processes import is_supervised, report_to_supervisor
assert is_supervised()
display = report_to_supervisor()
cores = sys.argv[-1]
display.stage("", "at work")
display.line("I have " + cores)
print("aside", file=sys.stderr)
{then}
"""


def member(then: str) -> list[str]:
    return [sys.executable, "-c", MEMBER.format(root=str(ROOT), then=then)]


def test_a_crew_is_heard_and_its_ends_are_known() -> None:
    heard = Heard()
    shares = [Cores((0,)), Cores((1, 2))]
    assert run_worker_processes(member("sys.exit(len(cores))"), shares, heard) == [1, 3]
    assert sorted(heard.lines) == [
        "[worker 0] I have 0", "[worker 0] aside", "[worker 1,2] I have 1,2", "[worker 1,2] aside",
    ]  # fmt: skip
    assert ("worker 1,2", "at work") in heard.stages


def test_what_else_a_member_prints_is_heard_too() -> None:
    """A library's words, and event that a kill has cut off."""
    heard = Heard()
    then = """print('stray', 5, sep='\\n'); print('{"stage": "tr', end='', flush=True)"""
    assert run_worker_processes(member(then), [Cores((0,)), Cores((1,))], heard) == [0, 0]
    for worker in "01":
        for said in ("stray", "5", '{"stage": "tr'):
            assert f"[worker {worker}] {said}" in heard.lines


WAITING = """
import pathlib, signal, time
def settle(number, frame):
    pathlib.Path("settled-" + cores).touch()
    sys.exit(0)
signal.signal(signal.SIGTERM, settle)
display.line("I would settle")
display.refresh()
time.sleep(100)
"""


def test_an_interrupted_crew_settles_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    class Impatient(Heard):
        def refresh(self) -> None:
            super().refresh()
            if self.refreshed == 2:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_worker_processes(member(WAITING), [Cores((0,)), Cores((1,))], Impatient())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["settled-0", "settled-1"]


SUPERVISOR = """
import sys
sys.path.insert(0, {root!r})
from nas.system.cores import Cores
from nas.searching.worker_processes import run_worker_processes
from nas.searching.display import Lines
run_worker_processes({command!r}, [Cores((0,))], Lines())
"""


def test_a_crew_ends_with_its_supervisor_however_that_ends(tmp_path: Path) -> None:
    code = SUPERVISOR.format(root=str(ROOT), command=member(WAITING))
    process = subprocess.Popen(
        [sys.executable, "-c", code], cwd=tmp_path, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    assert any("I would settle" in line for line in iter(process.stderr.readline, ""))
    process.kill()
    process.communicate()
    deadline = time.monotonic() + 600
    while not (tmp_path / "settled-0").exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def in_terminal(folder: Path, *words: str, interrupt_after: str) -> tuple[int, str]:
    """Runs ``nas`` in a terminal of 40 rows until it has drawn something; Ctrl-C; what it drew."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(folder)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        environment = {
            **os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm-256color", "LINES": "40",
            "COLUMNS": "100",
        }  # fmt: skip
        os.execve(sys.executable, [sys.executable, "-m", "nas", *words], environment)
    drawn = ""
    pressed = False
    for chunk in _output(terminal):
        drawn += chunk
        if not pressed and re.search(interrupt_after, drawn):
            pressed = True
            os.write(terminal, b"\x03")
    _, status = os.waitpid(pid, 0)
    os.close(terminal)
    return os.waitstatus_to_exitcode(status), drawn


def _output(terminal: int) -> Iterator[str]:
    deadline = time.monotonic() + 600
    while time.monotonic() < deadline:
        ready, _, _ = select.select([terminal], [], [], 1.0)
        try:
            chunk = os.read(terminal, 65536) if ready else b""
        except OSError:  # the other end is closed
            return
        if ready and not chunk:
            return
        yield chunk.decode(errors="replace")
    raise AssertionError("the command did not end")


def test_ctrl_c_leaves_the_terminal_whole(tmp_path: Path) -> None:
    command = ("search", "--study", "p", "--budget", "5", "--no-baselines", *QUICK)
    code, drawn = in_terminal(tmp_path, *command, interrupt_after="training float")
    assert code == 130
    assert "Traceback" not in drawn
    assert "0 of 5 trials" in drawn
    hidden, shown = drawn.rfind("\x1b[?25l"), drawn.rfind("\x1b[?25h")
    assert -1 < hidden < shown, "the cursor was hidden, and is back"
    rest = drawn[shown:]
    assert "╭" not in rest, "nothing of the panel is drawn after its end"
    assert "interrupted; the same command goes on from here" in rest
    assert run_json(tmp_path, "status", "p")["running"] == 0
