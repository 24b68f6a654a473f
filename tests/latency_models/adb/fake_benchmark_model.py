"""Stands in for TFLite's benchmark_model: its flags, its output; the times are LiteRT's, here.

Options of its own say what cannot be had without an accelerator:

- ``--left=KIND``: operators that the delegate leaves to the CPU; ``--left_share=X``: of the time
- ``--us=N``: a time in place of the measured one, times the first number that it takes from the
  file of ``--factors=FILE``
- ``--hang=SECONDS``: before anything is run
- ``--old``: a build that knows no flags for images
- ``--lie=KIND``: what it writes for an image is not what the model makes of it
"""

from __future__ import annotations

import statistics
import sys
import time
from pathlib import Path
from typing import Any

_LABELS = {
    "use_nnapi": ("NNAPI", "TfLiteNnapiDelegate"),
    "external_delegate_path": ("EXTERNAL", "Vx Delegate"),
    "stable_delegate_loader_settings": ("STABLE_DELEGATE", "NeuronStableDelegate"),
    "use_gpu": ("GPU", "TfLiteGpuDelegateV2"),
    "use_xnnpack": ("XNNPACK", "TfLiteXNNPackDelegate"),
}


def main() -> int:
    flags = dict(word.lstrip("-").partition("=")[::2] for word in sys.argv[1:])
    say("STARTING!")
    if "old" in flags:
        drop_unknown(flags)
    if "hang" in flags:
        time.sleep(float(flags["hang"]))
    graph = flags["graph"]
    say(f"Graph: [{graph}]")
    if not Path(graph).exists():
        say("Benchmarking failed.", "ERROR")
        return 1
    say(f"Loaded model {graph}")
    kinds = operator_kinds(graph)
    left = [index for index, kind in enumerate(kinds) if kind == flags.get("left")]
    label, kernel = next(
        names for flag, names in _LABELS.items() if flags.get(flag, "false") != "false"
    )
    say_delegation(label, kernel, len(kinds), len(kinds) - len(left))
    warmup = timed(graph, flags, int(flags["warmup_runs"]))
    runs = timed(graph, flags, int(flags["num_runs"]))
    say_series(warmup)
    say_series(runs)
    say(
        f"Inference timings in us: Init: 4711, First inference: {warmup[0]}, "
        f"Warmup (avg): {statistics.mean(warmup):g}, Inference (avg): {statistics.mean(runs):g}"
    )
    if "output_filepath" in flags:
        Path(flags["output_filepath"]).write_bytes(outputs_of(graph, flags))
    if flags.get("enable_op_profiling") == "true":
        say_profile(kinds, left, kernel, float(flags.get("left_share", "0.02")))
    return 0


def drop_unknown(flags: dict[str, str]) -> None:
    unknown = [flag for flag in flags if flag in ("output_filepath", "input_layer_value_files")]
    if unknown:
        words = " ".join(f"--{flag}={flags.pop(flag)}" for flag in unknown)
        say(f"Unconsumed cmdline flags: {words}", "WARNING")


def outputs_of(graph: str, flags: dict[str, str]) -> bytes:
    """What the model makes of the image, unless told to lie."""
    import numpy as np
    from ai_edge_litert.interpreter import Interpreter

    interpreter: Any = Interpreter(model_path=graph)
    interpreter.allocate_tensors()
    (source,) = interpreter.get_input_details()
    _, path = flags["input_layer_value_files"].split(":")
    assert [*map(int, flags["input_layer_shape"].split(","))] == [*source["shape"]]
    image = np.fromfile(path, source["dtype"]).reshape(source["shape"])
    interpreter.set_tensor(source["index"], image)
    interpreter.invoke()
    output = interpreter.get_tensor(interpreter.get_output_details()[0]["index"]).astype(np.int16)
    low, high = (-128, 127) if source["dtype"] == np.int8 else (0, 255)
    lies = {"another image": output[:, ::-1]}
    told = lies[flags["lie"]] if "lie" in flags else output
    return bytes(np.clip(told, low, high).astype(source["dtype"]).tobytes())


def say(text: str, level: str = "INFO") -> None:
    print(f"{level}: {text}", flush=True)


def operator_kinds(graph: str) -> list[str]:
    from latency_models.tflite.requests import read_tflite

    return [operator.kind for operator in read_tflite(Path(graph).read_bytes()).operators]


def say_delegation(label: str, kernel: str, nodes: int, taken: int) -> None:
    say(f"{label} delegate created.")
    if taken == 0:
        say(
            f"Though {label} delegate is explicitly applied, the model graph will not be executed "
            "by the delegate."
        )
        return
    parts = 1 if taken == nodes else 2
    say(
        f"Replacing {taken} out of {nodes} node(s) with delegate ({kernel}) node, yielding "
        f"{parts} partitions for the whole graph.",
        "VERBOSE",
    )
    extent = "completely" if taken == nodes else "partially"
    kernels = "" if taken == nodes else f" w/ {parts - 1} delegate kernels"
    say(
        f"Explicitly applied {label} delegate, and the model graph will be {extent} executed by "
        f"the delegate{kernels}."
    )


def timed(graph: str, flags: dict[str, str], count: int) -> list[int]:
    """Microseconds of each run."""
    if "us" in flags:
        return [round(float(flags["us"]) * next_factor(flags.get("factors")))] * count
    import numpy as np
    from ai_edge_litert.interpreter import Interpreter

    interpreter: Any = Interpreter(model_path=graph, num_threads=int(flags["num_threads"]))
    interpreter.allocate_tensors()
    for tensor in interpreter.get_input_details():
        interpreter.set_tensor(tensor["index"], np.zeros(tensor["shape"], tensor["dtype"]))
    times = []
    for _ in range(count):
        start = time.perf_counter_ns()
        interpreter.invoke()
        times.append(round((time.perf_counter_ns() - start) / 1000))
    return times


def next_factor(file: str | None) -> float:
    if file is None or not Path(file).exists():
        return 1.0
    first, *rest = Path(file).read_text().split() or ["1.0"]
    Path(file).write_text("\n".join(rest))
    return float(first)


def say_series(times: list[int]) -> None:
    say(
        f"Running benchmark for at least {len(times)} iterations and at least 0.5 seconds but "
        "terminate if exceeding 150 seconds."
    )
    if len(set(times)) == 1:
        same = "(all same)" if len(times) > 1 else ""
        say(f"count={len(times)} curr={times[-1]}{same}\n")
        return
    ordered = sorted(times)
    p5, median, p95 = (ordered[len(times) * part // 100] for part in (5, 50, 95))
    say(
        f"count={len(times)} first={times[0]} curr={times[-1]} min={ordered[0]} "
        f"max={ordered[-1]} avg={statistics.mean(times):g} std={statistics.pstdev(times):.0f} "
        f"p5={p5} median={median} p95={p95}\n"
    )


def say_profile(kinds: list[str], left: list[int], kernel: str, left_share: float) -> None:
    rows = [(kinds[index], index, left_share / len(left)) for index in left]
    if len(left) < len(kinds):
        rows.append((kernel, len(kinds), 1.0 - left_share if left else 1.0))
    say("Operator-wise Profiling Info for Regular Benchmark Runs:")
    print("============================== Run Order ==============================")
    print("\t [node type]\t [first]\t [avg ms]\t [%]\t [cdf%]\t [mem KB]\t[times called]\t[Name]")
    total = 0.0
    for kind, index, share in rows:
        total += share
        print(
            f"\t{kind:>24}\t{share:9.3f}\t{share:9.3f}\t{share:8.3%}\t{total:8.3%}"
            f"\t    0.000\t        1\t[out]:{index}"
        )
    print("\n============================== Top by Computation Time =================")
    print(f"\nNumber of nodes executed: {len(rows)}")


if __name__ == "__main__":
    sys.exit(main())
