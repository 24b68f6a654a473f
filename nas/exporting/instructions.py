"""How to time an exported model on a device: commands to copy, and the AI Benchmark app's steps.

Programs are called as the ``adb`` source calls them. The app's steps are those
of Ignatov et al., arXiv:2105.07825, section 2.2.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from latency_models.device import Device
from latency_models.sources.adb.converter import filled_in
from latency_models.sources.adb.settings import (
    AdbSettings,
    BenchmarkModelSettings,
    ExternalDelegate,
    GpuDelegate,
    LitertBenchmarkSettings,
    NnapiDelegate,
    SynapCliSettings,
    XnnpackDelegate,
)

from ..evaluation.model_card import SIGNED, ModelFile

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
    ("The NPU by Android's NNAPI, deprecated from Android 15 on (accelerators: "
     "`adb shell dumpsys neuralnetworks`)",
     NnapiDelegate(kind="nnapi", accelerator="vsi-npu")),
    ("The NPU by its vendor's delegate, here VeriSilicon's",
     ExternalDelegate(kind="external", library="/vendor/lib64/libvx_delegate.so")),
    ("The GPU", GpuDelegate(kind="gpu")),
)  # fmt: skip

_LITERT = "/data/local/tmp/litert"
_APPLY_PLUGIN = (
    "apply_plugin_main", "--cmd=apply", "--libs=.", "--soc_manufacturer=Google",
    "--soc_model=Tensor_G5", "--model={model}", "--o={folder}/compiled.tflite",
)  # fmt: skip


@dataclass(frozen=True)
class _Vendor:
    """What LiteRT needs of a maker of NPUs, beside ``files`` in the folder of its libraries."""

    title: str
    files: tuple[str, ...]
    settings: LitertBenchmarkSettings


def _litert_of(*, convert: tuple[str, ...] | None = None, prefix: str) -> LitertBenchmarkSettings:
    return LitertBenchmarkSettings(
        tool="litert_benchmark_model",
        dispatch_folder=_LITERT,
        plugin_folder=None if convert else _LITERT,
        convert=convert,
        prefix=prefix,
    )


_VENDORS = (
    _Vendor(
        "Qualcomm, compiled on the phone (libQnn* of its AI Engine Direct SDK; V79 is Snapdragon 8 "
        "Elite's)",
        ("libLiteRtDispatch_Qualcomm.so", "libLiteRtCompilerPlugin_Qualcomm.so", "libQnnSystem.so",
         "libQnnHtp.so", "libQnnHtpPrepare.so", "libQnnHtpV79Stub.so", "libQnnHtpV79Skel.so"),
        _litert_of(prefix=f"LD_LIBRARY_PATH={_LITERT} ADSP_LIBRARY_PATH={_LITERT}"),
    ),
    _Vendor(
        "MediaTek, compiled on the phone",
        ("libLiteRtDispatch_MediaTek.so", "libLiteRtCompilerPlugin_MediaTek.so"),
        _litert_of(prefix=f"LD_LIBRARY_PATH={_LITERT}"),
    ),
    _Vendor(
        "Google Tensor, compiled on this machine (libLiteRtCompilerPlugin_google_tensor.so in the "
        "current folder)",
        ("libLiteRtDispatch_GoogleTensor.so",),
        _litert_of(convert=_APPLY_PLUGIN, prefix=f"LD_LIBRARY_PATH={_LITERT}"),
    ),
)  # fmt: skip


def instructions(models: Sequence[ModelFile], device: Device | None) -> str:
    """RUN.md for the INT8 files of fixed size; ``device`` is the one that they were made for."""
    files = [m.file for m in models if m.dtype == SIGNED and m.input is not None]
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
        "## LiteRT's benchmark_model",
        "NPUs of phones with Android 15 and later: LiteRT's own tool, with its vendor's dispatch "
        "library and compiler plugin.",
        _block(["adb push benchmark_model /data/local/tmp/litert_benchmark_model",
                "adb shell chmod +x /data/local/tmp/litert_benchmark_model"]),
        *_litert_parts(files),
        'Read "Inference (avg)", and see that "DispatchDelegate" replaces every node and no plugin '
        "failed: where it does not, the CPU runs the rest, and nothing else says so.",
        "## synap_cli",
        "Synaptics' boards (VS680): compiled by Synaptics' converter on this machine, timed on the "
        "board.",
        _block(_synap(files, _SYNAP)),
        _AI_BENCHMARK,
    ]  # fmt: skip
    return "\n\n".join(parts) + "\n"


def _own(files: Sequence[str], settings: AdbSettings) -> str:
    runner = settings.runner
    if isinstance(runner, SynapCliSettings):
        return _block(_synap(files, runner))
    if isinstance(runner, LitertBenchmarkSettings):
        return _block(_litert(files, runner))
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


def _litert_parts(files: Sequence[str]) -> Iterator[str]:
    for vendor in _VENDORS:
        push = shlex.join(["adb", "push", *vendor.files, f"{_LITERT}/"])
        yield f"{vendor.title}:"
        # adb makes no folder for several files.
        make = shlex.join(["adb", "shell", "mkdir", "-p", _LITERT])
        yield _block([make, push, *_litert(files, vendor.settings)])


def _litert(files: Sequence[str], settings: LitertBenchmarkSettings) -> Iterator[str]:
    runner = settings.runner()
    for file in files:
        pushed = file
        if settings.convert is not None:
            folder = f"{file.removesuffix('.tflite')}_litert"
            yield f"mkdir -p {shlex.quote(folder)}"
            yield shlex.join(filled_in(settings.convert, file, folder))
            pushed = f"{folder}/compiled.tflite"
        on_phone = f"{settings.folder}/{file}"
        yield shlex.join(["adb", "push", pushed, on_phone])
        yield _on_device(settings.prefix, settings.path, runner.arguments(on_phone))


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
