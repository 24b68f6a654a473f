"""``nas zoo``: lists, shows and benchmarks published networks."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from .output import JsonOption, print_json, print_notes, print_table

app = typer.Typer(
    help="Published networks, to compare with.", no_args_is_help=True, rich_markup_mode=None
)
ScaleOption = Annotated[int, typer.Option(min=2, max=4, help="Upscaling factor.")]
_INPUT = "360x640"


@app.command("list")
def list_networks(scale: ScaleOption = 3, as_json: JsonOption = False) -> None:
    """List parameters and MACs of all networks, for a 360x640 image."""
    from search_spaces import InputSpec, infer
    from search_spaces.zoo import ZOO

    spec = InputSpec.parse(_INPUT)
    figures = [(network, infer(network.build(scale).deployed, spec)) for network in ZOO]
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
    name: Annotated[str, typer.Argument(metavar="NAME", help="As `nas zoo list` names it.")],
    scale: ScaleOption = 3,
    as_json: JsonOption = False,
) -> None:
    """Show the operators of a network.

    The JSON is a graph that `nas train` reads from a file.
    """
    from search_spaces import InputSpec, infer
    from search_spaces.zoo import find

    network = find(name)
    candidate = network.build(scale)
    if as_json:
        print_json(candidate.to_json())
        return
    graph = candidate.deployed
    figures = infer(graph, InputSpec.parse(_INPUT))
    print(
        f"{network.name} x{scale}: {figures.parameters:,} parameters, {figures.macs / 1e9:.3f} GMAC"
    )
    print(
        "\n".join(filter(None, (network.source, network.published, network.inferred))), end="\n\n"
    )
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


@app.command()
def bench(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help="Networks [all].")
    ] = None,
    data: Annotated[str, typer.Option(help="Folder of photos, or 'embedded'.")] = "embedded",
    test: Annotated[
        list[Path] | None, typer.Option(help="Folder of test images; may be repeated.")
    ] = None,
    device: Annotated[str, typer.Option(help="A device or a device folder.")] = "ethos-u85-1024",
    steps: Annotated[int, typer.Option(min=10, help="Training steps; fewer for the largest.")] = (
        10_000
    ),
    scale: ScaleOption = 3,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    out: Annotated[
        Path, typer.Option(help="Folder for models and rows; finished ones are reused.")
    ] = (Path("zoo-bench")),
    as_json: JsonOption = False,
) -> None:
    """Train, evaluate and time the networks by one recipe.

    The same command resumes an interrupted run.
    """
    from latency_models.device import load_device
    from search_spaces import CandidateError
    from search_spaces.zoo import ZOO, find

    from ..data.images import load_data
    from ..data.named_sets import VALIDATION, load_named_sets
    from ..evaluation.zoo_bench import Bench, table
    from ..quality.metrics import convention
    from ..quality.notes import notes, skipped_as_json
    from .progress import TrainingReporter

    networks = [find(name) for name in names] if names else list(ZOO)
    images = load_data(data, scale)
    tests = load_named_sets(test or [], scale)
    tests = tests or {VALIDATION: images.validation}
    benchmark = Bench(images, tests, load_device(device), steps, seed, out)
    systems, failures = [], 0
    opening = notes({"training": images.training, VALIDATION: images.validation})
    for network in networks:
        print(f"{network.name}:", file=sys.stderr)
        try:
            reporter = TrainingReporter()
            reporter.begins(opening)
            trained = benchmark.train(network, reporter.observe)
            opening = []
            systems.append(benchmark.time(network, trained))
        except CandidateError as error:
            failures += 1
            print(f"{network.name}: {error}", file=sys.stderr)
    rows = table(systems)
    if as_json:
        skipped = {name: skipped_as_json(found.skipped) for name, found in tests.items()}
        print_json([{**row, "skipped": skipped} for row in rows])
    elif rows:
        print(f"mean over all images; {convention(scale)}:")
        _print_rows(rows)
        print_notes(notes(tests))
    if failures:
        raise typer.Exit(1)


def _print_rows(rows: list[dict[str, Any]]) -> None:
    from ..quality.metrics import METRICS

    print_table(
        (
            "network", "parameters", "GMAC", "KB", "FP32 dB", "PTQ dB", "QAT dB", "drop PTQ",
            "drop QAT", *(metric.heading for metric in METRICS), "host ms", "device ms",
            "speed-up", "score / ABPN's",
        ),
        [
            (
                row["name"], f"{row['parameters']:,}", f"{row['macs'] / 1e9:.2f}",
                f"{row['tflite_kb']:.0f}", f"{row['psnr_float_db']:.3f}",
                f"{row['psnr_ptq_db']:.3f}", f"{row['psnr_qat_db']:.3f}",
                f"{row['drop_ptq_db']:+.3f}", f"{row['drop_qat_db']:+.3f}",
                *(metric.text(row.get(metric.key_of("int8"))) for metric in METRICS),
                f"{row['host_ms']:.1f}", f"{row['device_ms']:.1f}",
                f"{row['speed_up']:.1f}",
                "-" if row["score_to_abpn"] is None else f"{row['score_to_abpn']:.2f}",
            )
            for row in rows
        ],
    )  # fmt: skip
