"""Writes RUN.md: commands for timing exported models on a device, and the AI Benchmark app's steps.

The commands are those of the ``adb`` latency source. The app's steps follow Ignatov et al.,
arXiv:2105.07825, section 2.2.
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

_SYNAP_SETTINGS = SynapCliSettings(
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
#: (title, delegate) of each section on benchmark_model
_DELEGATES = (
    ("The processor", XnnpackDelegate(kind="xnnpack")),
    ("The NPU by Android's NNAPI, deprecated from Android 15 on (accelerators: "
     "`adb shell dumpsys neuralnetworks`)",
     NnapiDelegate(kind="nnapi", accelerator="vsi-npu")),
    ("The NPU by its vendor's delegate, here VeriSilicon's",
     ExternalDelegate(kind="external", library="/vendor/lib64/libvx_delegate.so")),
    ("The GPU", GpuDelegate(kind="gpu")),
)  # fmt: skip

_LITERT_FOLDER = "/data/local/tmp/litert"
_APPLY_PLUGIN = (
    "apply_plugin_main", "--cmd=apply", "--libs=.", "--soc_manufacturer=Google",
    "--soc_model=Tensor_G5", "--model={model}", "--o={folder}/compiled.tflite",
)  # fmt: skip


@dataclass(frozen=True)
class _LitertVendor:
    """Settings of LiteRT for a vendor's NPUs; ``files`` are pushed to its library folder."""

    title: str
    files: tuple[str, ...]
    settings: LitertBenchmarkSettings


def _litert_settings(
    *, convert: tuple[str, ...] | None = None, prefix: str
) -> LitertBenchmarkSettings:
    return LitertBenchmarkSettings(
        tool="litert_benchmark_model",
        dispatch_folder=_LITERT_FOLDER,
        plugin_folder=None if convert else _LITERT_FOLDER,
        convert=convert,
        prefix=prefix,
    )


_LITERT_VENDORS = (
    _LitertVendor(
        "Qualcomm, compiled on the phone (libQnn* of its AI Engine Direct SDK; V79 is Snapdragon 8 "
        "Elite's)",
        ("libLiteRtDispatch_Qualcomm.so", "libLiteRtCompilerPlugin_Qualcomm.so", "libQnnSystem.so",
         "libQnnHtp.so", "libQnnHtpPrepare.so", "libQnnHtpV79Stub.so", "libQnnHtpV79Skel.so"),
        _litert_settings(
            prefix=f"LD_LIBRARY_PATH={_LITERT_FOLDER} ADSP_LIBRARY_PATH={_LITERT_FOLDER}"
        ),
    ),
    _LitertVendor(
        "MediaTek, compiled on the phone",
        ("libLiteRtDispatch_MediaTek.so", "libLiteRtCompilerPlugin_MediaTek.so"),
        _litert_settings(prefix=f"LD_LIBRARY_PATH={_LITERT_FOLDER}"),
    ),
    _LitertVendor(
        "Google Tensor, compiled on this machine (libLiteRtCompilerPlugin_google_tensor.so in the "
        "current folder)",
        ("libLiteRtDispatch_GoogleTensor.so",),
        _litert_settings(convert=_APPLY_PLUGIN, prefix=f"LD_LIBRARY_PATH={_LITERT_FOLDER}"),
    ),
)  # fmt: skip


def instructions(models: Sequence[ModelFile], device: Device | None) -> str:
    """Returns RUN.md for the INT8 files of fixed size; ``device`` is their target, if known."""
    files = [m.file for m in models if m.dtype == SIGNED and m.input is not None]
    parts = ["# Timing the models"]
    if device is not None and isinstance(device.settings, AdbSettings):
        parts += [
            f"## {device.title}, as timed for the card",
            _device_commands(files, device.settings),
        ]
    parts += [
        "## benchmark_model",
        "TensorFlow Lite's own tool; build it, or take a nightly one, for the device's processor.",
        _code_block(["adb push benchmark_model /data/local/tmp/",
                "adb shell chmod +x /data/local/tmp/benchmark_model",
                shlex.join(["adb", "push", *files, "/data/local/tmp/"])]),
    ]  # fmt: skip
    for title, delegate in _DELEGATES:
        settings = BenchmarkModelSettings(tool="benchmark_model", delegate=delegate)
        parts += [f"{title}:", _code_block(_benchmark_model_commands(files, settings))]
    parts += [
        'Read "Inference (avg)", and check that the log says the delegate was applied to the whole '
        "graph: otherwise the time is that of the CPU.",
        "## LiteRT's benchmark_model",
        "For NPUs of phones with Android 15 and later: LiteRT's own tool, with the dispatch "
        "library and compiler plugin of the NPU's vendor.",
        _code_block(["adb push benchmark_model /data/local/tmp/litert_benchmark_model",
                "adb shell chmod +x /data/local/tmp/litert_benchmark_model"]),
        *_litert_sections(files),
        'Read "Inference (avg)", and check that "DispatchDelegate" replaces every node and no '
        "plugin failed: otherwise the CPU runs the other nodes without any further message.",
        "## synap_cli",
        "For Synaptics' boards (VS680): Synaptics' converter compiles the models on this machine, "
        "and the board times them.",
        _code_block(_synap_commands(files, _SYNAP_SETTINGS)),
        _AI_BENCHMARK,
    ]  # fmt: skip
    return "\n\n".join(parts) + "\n"


def _device_commands(files: Sequence[str], settings: AdbSettings) -> str:
    runner = settings.runner
    if isinstance(runner, SynapCliSettings):
        return _code_block(_synap_commands(files, runner))
    if isinstance(runner, LitertBenchmarkSettings):
        return _code_block(_litert_commands(files, runner))
    push = shlex.join(["adb", "push", *files, f"{runner.folder}/"])
    return _code_block([push, *_benchmark_model_commands(files, runner)])


def _benchmark_model_commands(
    files: Sequence[str], settings: BenchmarkModelSettings
) -> Iterator[str]:
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
        yield _adb_shell(settings.prefix, settings.path, arguments)


def _litert_sections(files: Sequence[str]) -> Iterator[str]:
    for vendor in _LITERT_VENDORS:
        push = shlex.join(["adb", "push", *vendor.files, f"{_LITERT_FOLDER}/"])
        yield f"{vendor.title}:"
        # adb push creates no target folder for several files.
        make = shlex.join(["adb", "shell", "mkdir", "-p", _LITERT_FOLDER])
        yield _code_block([make, push, *_litert_commands(files, vendor.settings)])


def _litert_commands(files: Sequence[str], settings: LitertBenchmarkSettings) -> Iterator[str]:
    runner = settings.runner()
    for file in files:
        pushed = file
        if settings.convert is not None:
            folder = f"{file.removesuffix('.tflite')}_litert"
            yield f"mkdir -p {shlex.quote(folder)}"
            yield shlex.join(filled_in(settings.convert, file, folder))
            pushed = f"{folder}/compiled.tflite"
        phone_path = f"{settings.folder}/{file}"
        yield shlex.join(["adb", "push", pushed, phone_path])
        yield _adb_shell(settings.prefix, settings.path, runner.arguments(phone_path))


def _synap_commands(files: Sequence[str], settings: SynapCliSettings) -> Iterator[str]:
    for file in files:
        stem = file.removesuffix(".tflite")
        folder, board = f"{stem}_synap", f"{settings.folder}/{stem}.synap"
        yield shlex.join(filled_in(settings.convert, file, folder))
        yield shlex.join(["adb", "push", f"{folder}/model.synap", board])
        yield _adb_shell(settings.prefix, settings.path, f"-m {board} -r {settings.runs} random")


def _adb_shell(prefix: str, program: str, arguments: str) -> str:
    command = " ".join(filter(None, (prefix, program, arguments)))
    # The host's shell needs quotes only around commands with characters that it interprets.
    needs_no_quotes = not set(command) & set("'\"$;&|<>()`\\*?#~")
    return f"adb shell {command if needs_no_quotes else shlex.quote(command)}"


def _code_block(lines: Iterable[str]) -> str:
    return "```sh\n" + "\n".join(lines) + "\n```"


_AI_BENCHMARK = """## The AI Benchmark app

1. Install AI Benchmark on the phone (ai-benchmark.com/download, or Google Play), and run its
   standard tests once.
2. `adb push model.tflite /sdcard/Download/`: the file must have this name and lie in Download.
3. Enter the PRO mode and choose the Custom Model tab.
4. Choose INT8, the acceleration (NNAPI or the vendor's delegate), and run.
5. Write the milliseconds down; a device with `source = "csv"` takes them from a table."""
