"""``nas latency probe``: measures a planned set of networks to model a new device."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .latency_building import (
    DeviceOption,
    ScaleOption,
    SeedOption,
    SpaceOption,
    print_progress,
    reporting_interruption,
)
from .output import JsonOption, print_json, print_table

if TYPE_CHECKING:
    from ..latency.probe import ProbeDesign


def register(app: typer.Typer) -> None:
    """Adds the command of this module."""
    app.command()(probe)


def probe(
    device: DeviceOption,
    out: Annotated[Path | None, typer.Option("--out", help="Folder of the model.")] = None,
    networks: Annotated[
        int, typer.Option("--networks", min=1, max=24, help="Number of networks.")
    ] = 24,
    space: SpaceOption = "mobile",
    scale: ScaleOption = 3,
    seed: SeedOption = 0,
    only_list: Annotated[
        bool, typer.Option("--list", help="Show the plan, measure nothing.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Measure the most informative networks into a table.

    `nas latency fit` makes a model of it. The same command continues the table.
    """
    from latency_models import Worker
    from latency_models.device import load_device, open_source
    from search_spaces import InputError
    from search_spaces.spaces.loading import load_space

    from ..latency.bench import DeviceBench
    from ..latency.probe import ProbeDesign, run_probe
    from ..latency.table import require_own_times

    loaded = load_device(device)
    require_own_times(loaded)
    design = ProbeDesign.of(loaded, load_space(space), scale, networks, seed)
    if only_list:
        _print_plan(design, as_json=as_json)
        return
    if out is None:
        raise InputError("name the folder for the measurements by --out, or give --list")
    with Worker() as worker:
        bench = DeviceBench(loaded, open_source(loaded, worker), worker, out, f"probe x{scale}")
        table = bench.table
        with reporting_interruption(table.path, lambda: len(table.rows()), networks):
            probed = run_probe(bench, design, print_progress)
    if as_json:
        print_json(
            {
                "table": str(table.path),
                "networks": len(probed.rows),
                "refused": {refused.kind: refused.reason for refused in probed.refused},
            }
        )
        return
    print(f"{table.path}: {len(probed.rows)} networks measured on {device}")
    for refused in probed.refused:
        print(f"refused by the device: {refused.kind}")


def _print_plan(design: ProbeDesign, *, as_json: bool) -> None:
    planned = [design.pool[place] for place in design.plan]
    if as_json:
        print_json(
            [
                {
                    "name": probe.name,
                    "hash": probe.graph.hash,
                    "input": str(probe.input),
                    "operators": len(probe.operators),
                }
                for probe in planned
            ]
        )
        return
    print_table(
        ("network", "input", "operators", "kinds"),
        [
            (p.name, str(p.input), str(len(p.operators)), ", ".join(sorted(p.kinds)))
            for p in planned
        ],
    )
