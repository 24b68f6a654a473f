from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import threadpoolctl

from latency_models import Worker, WorkerError
from latency_models.processor import bind, bound
from latency_models.worker import send
from search_spaces import InputError


@pytest.fixture(scope="module")
def frail() -> Iterator[Worker]:
    with Worker() as worker:
        yield worker


def crash() -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


NOTES: list[int] = []


def note() -> None:
    NOTES.append(os.getpid())


def noted() -> int:
    return len(NOTES)


def refuse(value: int) -> None:
    raise InputError(f"{value} is too much")


def give_up() -> None:
    raise TimeoutError("the function's own")


def count_to(last: int) -> int:
    for number in range(last):
        send(number)
    return last


def count_and_crash() -> None:
    count_to(3)
    crash()


def test_one_child_serves_all_calls(frail: Worker) -> None:
    first = frail.call(60, os.getpid)
    assert first != os.getpid()
    assert frail.call(60, os.getpid) == first


def test_what_is_begun_is_done_before_the_next_call(frail: Worker) -> None:
    frail.begin(note)
    assert frail.call(60, noted) == 1
    frail.begin(crash)
    with pytest.raises(WorkerError, match="getpid: the worker process died"):
        frail.call(60, os.getpid)
    assert frail.call(60, noted) == 0


def test_crash_costs_one_call(frail: Worker) -> None:
    before = frail.call(60, os.getpid)
    with pytest.raises(WorkerError, match="crash: the worker process died"):
        frail.call(60, crash)
    assert frail.call(60, os.getpid) != before


def test_time_out_stops_the_child(frail: Worker) -> None:
    before = frail.call(60, os.getpid)
    with pytest.raises(WorkerError, match=r"sleep: no answer within 0\.1 s"):
        frail.call(0.1, time.sleep, 60)
    with pytest.raises(ProcessLookupError):
        os.kill(before, 0)
    assert frail.call(60, os.getpid) != before


def test_interrupt_ends_the_child(frail: Worker) -> None:
    before = frail.call(60, os.getpid)
    handler = signal.signal(signal.SIGALRM, signal.default_int_handler)
    signal.setitimer(signal.ITIMER_REAL, 0.5)
    try:
        with pytest.raises(KeyboardInterrupt):
            frail.call(60, time.sleep, 60)
    finally:
        signal.signal(signal.SIGALRM, handler)
    with pytest.raises(ProcessLookupError):
        os.kill(before, 0)


def test_exceptions_pass_through(frail: Worker) -> None:
    before = frail.call(60, os.getpid)
    with pytest.raises(InputError, match="3 is too much"):
        frail.call(60, refuse, 3)
    with pytest.raises(TimeoutError, match="the function's own"):
        frail.call(60, give_up)
    assert frail.call(60, os.getpid) == before


def patient() -> float:
    return 60.0


def hang_after(last: int) -> None:
    count_to(last)
    time.sleep(600)


def test_who_says_nothing_more_is_stopped(frail: Worker) -> None:
    before = frail.call(60, os.getpid)
    heard: list[int] = []

    def patience() -> float:
        return 0.2 if heard else 60.0

    with pytest.raises(WorkerError, match=r"hang_after: no sign of life within 0\.2\d* s"):
        frail.follow(heard.append, patience, hang_after, 2)
    assert heard == [0, 1]
    with pytest.raises(ProcessLookupError):
        os.kill(before, 0)
    assert frail.follow(heard.append, patient, count_to, 1) == 1


def speak_slowly(words: int) -> int:
    for number in range(words):
        time.sleep(0.3)
        send(number)
    return words


def test_who_goes_on_speaking_may_take_as_long_as_it_likes(frail: Worker) -> None:
    heard: list[int] = []
    assert frail.follow(heard.append, patient, count_to, 1) == 1  # it has begun
    assert frail.follow(heard.append, lambda: 5.0, speak_slowly, 4) == 4


def test_calls_that_are_followed_are_counted_for_each_child(frail: Worker) -> None:
    frail.close()
    heard: list[int] = []
    frail.call(60, os.getpid)
    assert frail.followed == 0
    frail.follow(heard.append, patient, count_to, 1)
    with pytest.raises(InputError):
        frail.follow(heard.append, patient, refuse, 3)
    assert frail.followed == 2
    with pytest.raises(WorkerError):
        frail.follow(heard.append, patient, crash)
    assert frail.followed == 0


def test_who_follows_a_call_hears_all_of_it_in_order(frail: Worker) -> None:
    heard: list[int] = []
    assert frail.follow(heard.append, patient, count_to, 200) == 200
    assert heard == list(range(200))


def test_a_crash_is_heard_of_after_what_was_said_before(frail: Worker) -> None:
    heard: list[int] = []
    with pytest.raises(WorkerError, match="count_and_crash: the worker process died"):
        frail.follow(heard.append, patient, count_and_crash)
    assert heard == [0, 1, 2]


def test_who_will_not_hear_more_ends_the_child(frail: Worker) -> None:
    before = frail.call(60, os.getpid)

    def refuse_to_hear(number: int) -> None:
        raise InputError("enough")

    with pytest.raises(InputError, match="enough"):
        frail.follow(refuse_to_hear, patient, count_to, 10)
    assert frail.call(60, os.getpid) != before
    heard: list[int] = []
    frail.follow(heard.append, patient, count_to, 1)
    assert heard == [0]


def test_a_child_has_the_cores_of_its_parent() -> None:
    cores = os.sched_getaffinity(0)
    fewer = {min(cores)}
    with Worker() as worker:
        assert worker.call(60, os.sched_getaffinity, 0) == cores
        worker.close()
        os.sched_setaffinity(0, fewer)
        try:
            assert worker.call(60, os.sched_getaffinity, 0) == fewer
        finally:
            os.sched_setaffinity(0, cores)


def test_closed_worker_starts_again() -> None:
    with Worker() as worker:
        before = worker.call(60, os.getpid)
        worker.close()
        worker.close()
        assert worker.call(60, os.getpid) != before


_PARENT = """
import os, time
from latency_models import Worker
print(Worker().call(60, os.getpid), flush=True)
time.sleep(60)
"""


def _start(folder: Path, script: str) -> subprocess.Popen[str]:
    (folder / "scripts").mkdir()
    (folder / "scripts/parent.py").write_text(script)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    return subprocess.Popen(
        [sys.executable, "scripts/parent.py"],
        cwd=folder, stdout=subprocess.PIPE, text=True, env=environment,
    )  # fmt: skip


_IMPORTING = """
import sys
from latency_models.worker import Worker, import_for_workers
imports = "'wave' in __import__('sys').modules"
import_for_workers("wave")
with Worker() as first, Worker() as second:
    print(first.call(60, eval, imports), second.call(60, eval, imports), eval(imports))
"""


def test_workers_begin_with_what_was_imported_for_them(tmp_path: Path) -> None:
    with _start(tmp_path, _IMPORTING) as parent:
        assert parent.communicate(timeout=60)[0].split() == ["True", "True", "False"]


def test_a_file_in_the_current_folder_is_not_what_is_imported(tmp_path: Path) -> None:
    (tmp_path / "wave.py").write_text("raise SystemExit('not this one')")
    with _start(tmp_path, _IMPORTING) as parent:
        assert parent.communicate(timeout=60)[0].split() == ["True", "True", "False"]


def test_no_script_is_run_again_for_a_worker(tmp_path: Path) -> None:
    # As without ``if __name__ == "__main__":``: with or without imports, in any thread.
    script = """
import os, threading
from latency_models.worker import Worker, import_for_workers
print("once")
import_for_workers("wave")
def work():
    with Worker() as worker:
        print(worker.call(60, os.getppid) != os.getpid())
        print(worker.call(60, eval, "__import__('sys').modules['__main__'].__dict__.get('work')"))
work()
thread = threading.Thread(target=work)
thread.start()
thread.join()
"""
    with _start(tmp_path, script) as parent:
        assert parent.communicate(timeout=60)[0].split() == ["once", *["True", "None"] * 2]


def test_workers_of_another_thread_may_have_imports(tmp_path: Path) -> None:
    script = _IMPORTING.replace(
        'import_for_workers("wave")',
        """
import threading
thread = threading.Thread(target=import_for_workers, args=("wave",))
thread.start()
thread.join()
""",
    )
    with _start(tmp_path, script) as parent:
        assert parent.communicate(timeout=60)[0].split() == ["True", "True", "False"]


def test_orphan_ends_with_its_parent(tmp_path: Path) -> None:
    with _start(tmp_path, _PARENT) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        os.kill(parent.pid, signal.SIGKILL)
    deadline = time.monotonic() + 60
    while _alive(child):
        assert time.monotonic() < deadline, "the child outlived its parent"
        time.sleep(0.02)


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def threads_on_one_core() -> list[int]:
    import numpy as np

    np.linalg.inv(np.eye(2))
    bind({min(os.sched_getaffinity(0))})
    return [pool["num_threads"] for pool in threadpoolctl.threadpool_info()]


def test_linear_algebra_has_no_more_threads_than_cores() -> None:
    with Worker() as worker:
        threads = worker.call(60, threads_on_one_core)
    assert threads
    assert set(threads) == {1}


def test_nor_has_a_library_that_was_imported_for_workers(tmp_path: Path) -> None:
    script = """
import os
import threadpoolctl
from latency_models.worker import Worker, import_for_workers
import_for_workers("numpy")
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
with Worker() as worker:
    print(*[pool["num_threads"] for pool in worker.call(60, threadpoolctl.threadpool_info)])
"""
    with _start(tmp_path, script) as parent:
        assert set(parent.communicate(timeout=60)[0].split()) == {"1"}


def threads_before_within_and_after() -> list[set[int]]:
    import numpy as np

    np.linalg.inv(np.eye(2))

    def threads() -> set[int]:
        return {pool["num_threads"] for pool in threadpoolctl.threadpool_info()}

    before = threads()
    with bound({min(os.sched_getaffinity(0))}):
        within = threads()
    return [before, within, threads()]


def test_threads_are_as_before_when_the_cores_are() -> None:
    with Worker() as worker:
        before, within, after = worker.call(60, threads_before_within_and_after)
    assert within == {1}
    assert after == before
