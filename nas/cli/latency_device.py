"""``nas latency device``: writes a device folder from a Vela configuration file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

_SpeedOption = Annotated[float | None, typer.Option(min=1e-3, help="Speed of the CPU [assumed].")]


def register(app: typer.Typer) -> None:
    """Adds the command of this module."""
    app.command()(device)


def device(
    from_vela: Annotated[Path, typer.Option(help="A configuration file of Arm's Vela.")],
    accelerator: Annotated[str, typer.Option(help="As Arm names it: ethos-u55-256.")],
    out: Annotated[Path, typer.Option(help="The device's folder.")],
    system_config: Annotated[
        str | None, typer.Option(help="Section of the file [the only one].")
    ] = None,
    memory_mode: Annotated[
        str | None, typer.Option(help="Section of the file [the only one].")
    ] = None,
    input: Annotated[str, typer.Option(help="LR size that models are made for.")] = "360x640",
    sram_kb: Annotated[
        int | None,
        typer.Option(min=1, help="SRAM of the NPU; a network that needs more is refused."),
    ] = None,
    cpu_gb_per_s: _SpeedOption = None,
    cpu_gmac_per_s: _SpeedOption = None,
) -> None:
    """Make a device from a Vela configuration file.

    Vendors of chips with an Ethos-U publish such files.
    """
    from latency_models import Worker
    from latency_models.sources.vela import accelerator_named
    from search_spaces import InputSpec

    from ..latency.vela_device import VelaBoard, write_vela_device

    board = VelaBoard(
        config=from_vela,
        accelerator=accelerator_named(accelerator),
        system_config=system_config,
        memory_mode=memory_mode,
        input=InputSpec.parse(input),
        sram_kb=sram_kb,
        cpu_bandwidth_gb_per_s=cpu_gb_per_s,
        cpu_gmac_per_s=cpu_gmac_per_s,
    )
    with Worker() as worker:
        made = write_vela_device(out, board, worker)
    print(f"{made.title}: a device folder, {out}")
