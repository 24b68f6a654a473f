"""CPU time of a device's own source of latencies, where that is a compiler."""

from __future__ import annotations

import os
from pathlib import Path

from latency_models import Worker
from latency_models.device import load_device, open_source
from nas.evaluation.evaluator import untrained_request
from search_spaces.spaces.enumeration import samples
from search_spaces.spaces.loading import load_space

from ..search_efficiency.simulation import INPUT

#: Networks; the first one carries imports.
_NETWORKS = 5


def compiler_milliseconds(device_name: str) -> float:
    """Of one network of ``mobile``, conversion included."""
    device = load_device(device_name)
    networks = [network for _, network in samples(load_space("mobile"), 3, _NETWORKS, seed=0)]
    with Worker() as worker:
        source, spent = open_source(device, worker), list[float]()
        for network in networks:
            request = untrained_request(worker, network.deployed, INPUT, device.weights)
            source.measure(request)
            spent.append(_seconds(os.getpid()))
    return 1000 * (spent[-1] - spent[0]) / (len(spent) - 1)


def _seconds(pid: int) -> float:
    """CPU time of a process and all that it began, and that live."""
    try:
        words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        children = [c for task in tasks for c in (task / "children").read_text().split()]
    except OSError:  # it has just ended
        return 0.0
    own = (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")
    # Those of its children that are over count with it.
    own += (int(words[13]) + int(words[14])) / os.sysconf("SC_CLK_TCK")
    return own + sum(_seconds(int(child)) for child in children)
