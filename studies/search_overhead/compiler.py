"""Measures the CPU time of a device's source of latencies if that is a compiler."""

from __future__ import annotations

import os
from pathlib import Path

from latency_models import Worker
from latency_models.device import load_device, open_source
from nas.evaluation.evaluator import untrained_request
from search_spaces.spaces.enumeration import samples
from search_spaces.spaces.loading import load_space

from ..search_efficiency.simulation import INPUT

#: Number of networks; the first is not counted, since its time includes imports.
_NETWORKS = 5


def compiler_milliseconds(device_name: str) -> float:
    """Returns the CPU milliseconds of one network of ``mobile``, including its conversion."""
    device = load_device(device_name)
    networks = [network for _, network in samples(load_space("mobile"), 3, _NETWORKS, seed=0)]
    with Worker() as worker:
        source, cpu_seconds = open_source(device, worker), list[float]()
        for network in networks:
            request = untrained_request(worker, network.deployed, INPUT, device.weights)
            source.measure(request)
            cpu_seconds.append(_process_seconds(os.getpid()))
    return 1000 * (cpu_seconds[-1] - cpu_seconds[0]) / (len(cpu_seconds) - 1)


def _process_seconds(pid: int) -> float:
    """Returns the CPU time of a process and its living descendants."""
    try:
        words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        children = [c for task in tasks for c in (task / "children").read_text().split()]
    except OSError:  # the process has just ended
        return 0.0
    own = (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")
    # The time of its finished children is added to its own.
    own += (int(words[13]) + int(words[14])) / os.sysconf("SC_CLK_TCK")
    return own + sum(_process_seconds(int(child)) for child in children)
