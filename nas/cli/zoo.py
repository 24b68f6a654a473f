"""``nas zoo``: the networks of the report."""

from __future__ import annotations

from typing import Annotated

import typer

from search_spaces import InputSpec, infer
from search_spaces.zoo import ZOO, find

from .output import JsonOption, print_json, print_table

app = typer.Typer(help="The systems of the report.", no_args_is_help=True, rich_markup_mode=None)
ScaleOption = Annotated[int, typer.Option(min=2, max=4, help="Upscaling factor.")]
_INPUT = InputSpec(360, 640)


@app.command("list")
def list_networks(scale: ScaleOption = 3, as_json: JsonOption = False) -> None:
    """Parameters and MACs of every network, for a 360x640 image."""
    figures = [(network, infer(network.build(scale), _INPUT)) for network in ZOO]
    if as_json:
        print_json(
            [
                {
                    "name": network.name,
                    "params": figure.parameters,
                    "macs": figure.macs,
                    "source": network.source,
                    "published": network.published,
                }
                for network, figure in figures
            ]
        )
        return
    print_table(
        ("name", "parameters", "GMAC", "published", "source"),
        [
            (n.name, f"{f.parameters:,}", f"{f.macs / 1e9:.3f}", n.published, n.source)
            for n, f in figures
        ],
    )


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="As `nas zoo list` names it.")],
    scale: ScaleOption = 3,
    as_json: JsonOption = False,
) -> None:
    """One network, operator by operator; as JSON, the graph that `nas train` takes from a file."""
    network = find(name)
    graph = network.build(scale)
    if as_json:
        print_json(graph.to_json())
        return
    figures = infer(graph, _INPUT)
    print(
        f"{network.name} x{scale}: {figures.parameters:,} parameters, {figures.macs / 1e9:.3f} GMAC"
    )
    print(f"{network.source}\n{network.published}\n")
    print_table(
        ("node", "inputs", "height x width x channels", "parameters", "MMAC"),
        [
            (
                node.name, ", ".join(dict.fromkeys(node.inputs)),
                "x".join(map(str, figures.nodes[node.name].shape)),
                f"{figures.nodes[node.name].parameters:,}",
                f"{figures.nodes[node.name].macs / 1e6:,.1f}",
            )
            for node in graph.nodes
        ],
    )  # fmt: skip
