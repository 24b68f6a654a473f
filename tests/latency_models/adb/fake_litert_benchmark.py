"""A fake of LiteRT's benchmark_model on an NPU: its flags, its output.

Options of its own say what cannot be had without an NPU:

- ``--us=N``: the time of a run
- ``--left=N``: operators that the vendor's compiler does not take
- ``--rewritten=N``: operators that it puts in before it chooses
- ``--broken=PART``: the plugin or the dispatch library cannot be used; the CPU runs the model
"""

from __future__ import annotations

import sys
from pathlib import Path


def main() -> int:
    words = [word.lstrip("-").partition("=") for word in sys.argv[1:]]
    flags = {name: value for name, _, value in words}
    log("INFO", "STARTING!")
    graph = Path(flags["graph"])
    if not graph.exists():
        log("ERROR", "Benchmarking failed.")
        return 1
    taken, total = partitioned(operator_kinds(graph), flags)
    dispatches = flags.get("broken") != "dispatch" and has_library(flags, "dispatch_library_path")
    if dispatches and taken:
        replaced("DispatchDelegate", taken, total)
    on_cpu = total - taken if dispatches else total
    if on_cpu:
        replaced("TfLiteXNNPackDelegate", on_cpu, total)
    say_times(int(flags["us"]), int(flags["warmup_runs"]), int(flags["num_runs"]))
    return 0


def partitioned(kinds: list[str], flags: dict[str, str]) -> tuple[int, int]:
    """Nodes that are the NPU's, of so many."""
    compiled = kinds.count("CUSTOM:DISPATCH_OP")
    if compiled:  # on another machine
        return compiled, len(kinds)
    if flags.get("use_npu") != "true" or not has_library(flags, "compiler_plugin_library_path"):
        litert("WARNING", 742, "Failed to load compiler plugins: Compiler plugin is not configured")
        return 0, len(kinds)
    if flags.get("broken") == "plugin":
        litert("WARNING", 1319, "Failed to apply compiler plugins: Partitioning failed")
        return 0, len(kinds)
    nodes, left = len(kinds) + int(flags.get("rewritten", "0")), int(flags.get("left", "0"))
    left = min(left, nodes)
    parts = 1 if left < nodes else 0
    litert(
        "INFO",
        740,
        f"Partitioned subgraph<0>, selected {nodes - left} ops, from a total of {nodes} ops. "
        f"resulted in {parts} partitions.",
    )
    litert("INFO", 1322, "1 compiler plugins were applied successfully: Double")
    return parts, left + parts


def has_library(flags: dict[str, str], flag: str) -> bool:
    name = {"dispatch_library_path": "Dispatch", "compiler_plugin_library_path": "CompilerPlugin"}
    return any(Path(flags.get(flag, "/nowhere")).glob(f"libLiteRt{name[flag]}_*.so"))


def operator_kinds(graph: Path) -> list[str]:
    from latency_models.tflite.file import read_tflite

    return [operator.kind for operator in read_tflite(graph.read_bytes()).operators]


def log(level: str, text: str) -> None:
    print(f"{level}: {text}", flush=True)


def litert(level: str, line: int, text: str) -> None:
    print(f"{level}: [compiled_model.cc:{line}] {text}", file=sys.stderr, flush=True)


def replaced(delegate: str, taken: int, total: int) -> None:
    log(
        "VERBOSE",
        f"Replacing {taken} out of {total} node(s) with delegate ({delegate}) node, yielding "
        f"{1 if taken == total else 2} partitions for subgraph 0.",
    )


def say_times(us: int, warmup: int, runs: int) -> None:
    for count in (warmup, runs):
        log(
            "INFO",
            f"Running benchmark for at least {count} iterations and at least 0.5 seconds but "
            "terminate if exceeding 150 seconds.",
        )
        log("INFO", f"count={count} curr={us}{'(all same)' if count > 1 else ''}\n")
    litert("INFO", 81, "\n========== BENCHMARK RESULTS ==========")
    litert("INFO", 90, f"Inference (avg):      {us / 1000:.2f} ms ({runs} runs)")


if __name__ == "__main__":
    sys.exit(main())
