"""Ctrl-C and SIGTERM, in the main thread and in others."""

from __future__ import annotations

import signal
import threading

import pytest

from nas.system.signals import deferred_interrupts, terminable


def test_sigterm_interrupts_and_is_given_back() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt), terminable():
        signal.raise_signal(signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is before


def test_the_first_is_noted_and_the_second_raised() -> None:
    with deferred_interrupts() as interrupted:
        assert not interrupted()
        signal.raise_signal(signal.SIGINT)
        assert interrupted()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)


def test_another_thread_leaves_signals_alone() -> None:
    handlers: list[object] = []

    def work() -> None:
        with terminable(), deferred_interrupts() as interrupted:
            handlers.extend([interrupted(), signal.getsignal(signal.SIGTERM)])

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert handlers == [False, signal.getsignal(signal.SIGTERM)]
