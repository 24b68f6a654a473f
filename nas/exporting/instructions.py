"""How to time an exported model on a device: commands to copy, and the AI Benchmark app's steps.

benchmark_model and synap_cli are called as the ``adb`` source calls them. The app's steps are those
of Ignatov et al., arXiv:2105.07825, section 2.2.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Sequence

from latency_models.device import Device
from latency_models.sources.adb.settings import (
    AdbSettings,
    BenchmarkModelSettings,
    ExternalDelegate,
    GpuDelegate,
    NnapiDelegate,
    SynapCliSettings,
    XnnpackDelegate,
)
from latency_models.sources.adb.synap_cli import filled_in

from .model_card import ExportedModel

_SYNAP = SynapCliSettings(
    tool="synap_cli",
    convert=(
        "synap",
        "convert",
        "--target",
        "VS680",
        "--model",
        "{model}",
        "--out-dir",
        "{folder}",
    ),
)
_USUAL = (
    ("The processor", XnnpackDelegate(kind="xnnpack")),
    ("The NPU by Android's NNAPI (accelerators: `adb shell dumpsys neuralnetworks`)",
     NnapiDelegate(kind="nnapi", accelerator="vsi-npu")),
    ("The NPU by its vendor's delegate, here VeriSilicon's",
     ExternalDelegate(kind="external", library="/vendor/lib64/libvx_delegate.so")),
    ("The GPU", GpuDelegate(kind="gpu")),
)  # fmt: skip


def instructions(models: Sequence[ExportedModel], device: Device | None) -> str:
    """RUN.md for the INT8 files of fixed size; ``device`` is the one that they were made for."""
    files = [m.file for m in models if m.dtype == "int8" and m.input is not None]
    parts = ["# Timing the models"]
    if device is not None and isinstance(device.settings, AdbSettings):
        parts += [f"## {device.title}, as it was timed", _own(files, device.settings)]
    parts += [
        "## benchmark_model",
        "TensorFlow Lite's own tool; build it, or take a nightly one, for the device's processor.",
        _block(["adb push benchmark_model /data/local/tmp/",
                "adb shell chmod +x /data/local/tmp/benchmark_model",
                shlex.join(["adb", "push", *files, "/data/local/tmp/"])]),
    ]  # fmt: skip
    for title, delegate in _USUAL:
        settings = BenchmarkModelSettings(tool="benchmark_model", delegate=delegate)
        parts += [f"{title}:", _block(_benchmark_model(files, settings))]
    parts += [
        'Read "Inference (avg)", and see that the log says the delegate was applied to the whole '
        "graph: else the time is the processor's.",
        "## synap_cli",
        "Synaptics' boards (VS680): compiled by Synaptics' converter on this machine, timed on the "
        "board.",
        _block(_synap(files, _SYNAP)),
        _AI_BENCHMARK,
    ]
    return "\n\n".join(parts) + "\n"


def _own(files: Sequence[str], settings: AdbSettings) -> str:
    runner = settings.runner
    if isinstance(runner, SynapCliSettings):
        return _block(_synap(files, runner))
    push = shlex.join(["adb", "push", *files, f"{runner.folder}/"])
    return _block([push, *_benchmark_model(files, runner)])


def _benchmark_model(files: Sequence[str], settings: BenchmarkModelSettings) -> Iterator[str]:
    for file in files:
        arguments = shlex.join(
            (
                f"--graph={settings.folder}/{file}",
                f"--num_threads={settings.threads}",
                f"--warmup_runs={settings.warmup_runs}",
                f"--num_runs={settings.runs}",
                *settings.delegate.delegate().flags,
            )
        )
        yield _on_device(settings.prefix, settings.path, arguments)


def _synap(files: Sequence[str], settings: SynapCliSettings) -> Iterator[str]:
    for file in files:
        stem = file.removesuffix(".tflite")
        folder, board = f"{stem}_synap", f"{settings.folder}/{stem}.synap"
        yield shlex.join(filled_in(settings.convert, file, folder))
        yield shlex.join(["adb", "push", f"{folder}/model.synap", board])
        yield _on_device(settings.prefix, settings.path, f"-m {board} -r {settings.runs} random")


def _on_device(prefix: str, program: str, arguments: str) -> str:
    command = " ".join(filter(None, (prefix, program, arguments)))
    # Only what a shell would change needs quotes, of the outer one.
    plain = not set(command) & set("'\"$;&|<>()`\\*?#~")
    return f"adb shell {command if plain else shlex.quote(command)}"


def _block(lines: Iterable[str]) -> str:
    return "```sh\n" + "\n".join(lines) + "\n```"


_AI_BENCHMARK = """## The AI Benchmark app

1. Install AI Benchmark on the phone (ai-benchmark.com/download, or Google Play), and run its
   standard tests once.
2. `adb push model.tflite /sdcard/Download/`: the file must have this name and lie in Download.
3. Enter the PRO mode and choose the Custom Model tab.
4. Choose INT8, the acceleration (NNAPI or the vendor's delegate), and run.
5. Write the milliseconds down; a device with `source = "csv"` takes them from a table."""
