"""Work in a thread of its own."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time

import pytest

from nas.system.background import in_background


def test_the_result_is_what_the_function_gives() -> None:
    assert in_background(divmod, 7, 2)() == (3, 1)


def test_its_error_is_raised_where_the_result_is_asked_for() -> None:
    ask = in_background(int, "seven")
    with pytest.raises(ValueError, match="seven"):
        ask()


def test_it_runs_beside_the_caller() -> None:
    begun, go_on = threading.Event(), threading.Event()

    def work() -> str:
        begun.set()
        assert go_on.wait(60)
        return "done"

    ask = in_background(work)
    assert begun.wait(60)
    go_on.set()
    assert ask() == "done"


WAITING = """
import signal
import sys
from nas.system.background import in_background

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
ask = in_background(sys.stdin.readline)
print("waits", flush=True)
try:
    ask()
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


def test_ctrl_c_ends_the_waiting_and_the_program_ends_after_the_work() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", WAITING], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "waits\n"
    time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    assert process.stdout.readline() == "interrupted\n"
    assert process.poll() is None
    process.communicate("done\n", timeout=60)
    assert process.returncode == 0
