"""The ``adb`` settings of a device.toml: the device, the program on it, and its options.

An example::

    [settings]
    source = "adb"
    serial = "0123456789ABCDEF"

    [settings.runner]
    tool = "benchmark_model"
    prefix = "LD_LIBRARY_PATH=/vendor/lib64 taskset f0"

    [settings.runner.delegate]
    kind = "nnapi"
    accelerator = "vsi-npu"
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import (
    AfterValidator,
    Field,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    model_validator,
)

from ..settings import (
    NonNegativeSeconds,
    PositiveSeconds,
    SettingsTable,
    SourcePlace,
    SourceSettings,
)
from .benchmark_model import BenchmarkModel
from .connection import Connection
from .converter import Converter
from .delegation import Delegate
from .drift import DriftPolicy
from .litert_benchmark import LitertBenchmark
from .runner import Program, Runner
from .source import AdbSource
from .synap_cli import SynapCli

#: Prefix of the name of a device that is given only by its serial number: adb:SERIAL.
SHORTHAND = "adb:"
#: Keeps operators that the accelerator leaves from XNNPACK, which a profile does not list.
_NO_XNNPACK = "--use_xnnpack=false"
Words = Annotated[tuple[str, ...], Field(strict=False, min_length=1)]
DevicePath = Annotated[str, Field(pattern=r"^[\w./+-]+$")]
VendorFlag = Annotated[str, Field(pattern=r"^--[\w.-]+=.*$")]


def _require_real_accelerator(name: str) -> str:
    if name == "nnapi-reference":
        raise ValueError("nnapi-reference is the CPU; name what the tool lists as available")
    return name


class NnapiDelegate(SettingsTable):
    """Android's NNAPI on one accelerator, such as ``vsi-npu``."""

    kind: Literal["nnapi"]
    accelerator: Annotated[
        str, Field(pattern=r"^[\w.,+-]+$"), AfterValidator(_require_real_accelerator)
    ]

    def delegate(self) -> Delegate:
        name = f"--nnapi_accelerator_name={self.accelerator}"
        return Delegate("NNAPI", "npu", ("--use_nnapi=true", name, _NO_XNNPACK))


class ExternalDelegate(SettingsTable):
    """A delegate in a library of its own: VeriSilicon's, Qualcomm's QNN, MediaTek's NeuroPilot.

    ``options`` are passed to it: ``key:value;key:value``.
    """

    kind: Literal["external"]
    library: DevicePath
    options: str = ""

    def delegate(self) -> Delegate:
        options = (f"--external_delegate_options={self.options}",) if self.options else ()
        library = f"--external_delegate_path={self.library}"
        return Delegate("EXTERNAL", "npu", (library, *options, _NO_XNNPACK))


class StableDelegate(SettingsTable):
    """A delegate with TFLite's stable interface; ``settings`` is its JSON file on the device."""

    kind: Literal["stable"]
    settings: DevicePath

    def delegate(self) -> Delegate:
        settings = f"--stable_delegate_loader_settings={self.settings}"
        return Delegate("STABLE_DELEGATE", "npu", (settings, _NO_XNNPACK))


class GpuDelegate(SettingsTable):
    """The GPU, which computes INT8 models in floating point."""

    kind: Literal["gpu"]

    def delegate(self) -> Delegate:
        return Delegate("GPU", "gpu", ("--use_gpu=true", _NO_XNNPACK))


class XnnpackDelegate(SettingsTable):
    """The CPU, with XNNPACK's kernels."""

    kind: Literal["xnnpack"]

    def delegate(self) -> Delegate:
        return Delegate("XNNPACK", "cpu", ("--use_xnnpack=true",))


class _ProgramSettings(SettingsTable):
    #: text before the program in the command: LD_LIBRARY_PATH=/vendor/lib64 taskset f0
    prefix: str = ""
    #: folder on the device for temporary files
    folder: DevicePath = "/data/local/tmp"
    timeout_seconds: PositiveSeconds = 300.0

    def _program(self, path: str) -> Program:
        return Program(path, self.prefix, self.folder, self.timeout_seconds)


class BenchmarkModelSettings(_ProgramSettings):
    """TFLite's benchmark_model, installed on the device."""

    tool: Literal["benchmark_model"]
    path: DevicePath = "/data/local/tmp/benchmark_model"
    delegate: Annotated[
        NnapiDelegate | ExternalDelegate | StableDelegate | GpuDelegate | XnnpackDelegate,
        Field(discriminator="kind"),
    ]
    threads: PositiveInt = 1
    warmup_runs: PositiveInt = 5
    runs: PositiveInt = 50
    #: runs with the profiler, for times of operators; 0: no profile
    profile_runs: NonNegativeInt = 10

    def runner(self) -> Runner:
        return BenchmarkModel(
            program=self._program(self.path),
            delegate=self.delegate.delegate(),
            threads=self.threads,
            warmup_runs=self.warmup_runs,
            runs=self.runs,
            profile_runs=self.profile_runs,
        )


def _require_model_placeholder(words: tuple[str, ...]) -> tuple[str, ...]:
    if not any("{model}" in word for word in words):
        raise ValueError("no word holds {model}, where the file to be converted goes")
    if any("\0" in word for word in words):
        raise ValueError("a word of a command holds no null character")
    return words


class LitertBenchmarkSettings(_ProgramSettings):
    """LiteRT's benchmark_model, for NPUs on Android 15 and later.

    Models are compiled on the device, by the plugin in ``plugin_folder``, or on this machine, by
    ``convert``.
    """

    tool: Literal["litert_benchmark_model"]
    path: DevicePath = "/data/local/tmp/litert_benchmark_model"
    #: folder on the device with libLiteRtDispatch_*.so
    dispatch_folder: DevicePath
    #: folder on the device with libLiteRtCompilerPlugin_*.so
    plugin_folder: DevicePath | None = None
    #: LiteRT's apply_plugin on this machine, or another command that makes {folder}/compiled.tflite
    convert: Annotated[Words, AfterValidator(_require_model_placeholder)] | None = None
    convert_timeout_seconds: PositiveSeconds = 600.0
    #: additional flags of the vendor, such as --qualcomm_htp_performance_mode=burst
    flags: Annotated[tuple[VendorFlag, ...], Field(strict=False)] = ()
    threads: PositiveInt = 1
    warmup_runs: PositiveInt = 5
    runs: PositiveInt = 50

    @model_validator(mode="after")
    def _require_one_compiler(self) -> LitertBenchmarkSettings:
        if (self.plugin_folder is None) == (self.convert is None):
            raise ValueError(
                "name plugin_folder, to compile on the device, or convert, to compile here"
            )
        return self

    def runner(self) -> LitertBenchmark:
        converter = None
        if self.convert is not None:
            converter = Converter(
                self.convert, "compiled.tflite", "LiteRT", self.convert_timeout_seconds
            )
        return LitertBenchmark(
            program=self._program(self.path),
            dispatch_folder=self.dispatch_folder,
            plugin_folder=self.plugin_folder,
            converter=converter,
            flags=self.flags,
            threads=self.threads,
            warmup_runs=self.warmup_runs,
            runs=self.runs,
        )


class SynapCliSettings(_ProgramSettings):
    """Synaptics' synap_cli."""

    tool: Literal["synap_cli"]
    path: DevicePath = "synap_cli"
    #: program that writes a model's output image, for --verify
    image_path: DevicePath = "synap_cli_ip"
    #: command of Synaptics' converter on this machine, such as
    #: ["synap", "convert", "--target", "VS680", "--model", "{model}", "--out-dir", "{folder}"]
    convert: Annotated[Words, AfterValidator(_require_model_placeholder)]
    convert_timeout_seconds: PositiveSeconds = 600.0
    runs: PositiveInt = 50
    #: runs with the NPU's profile, for models converted with --profiling; 0: no profile
    profile_runs: NonNegativeInt = 0

    def runner(self) -> Runner:
        return SynapCli(
            program=self._program(self.path),
            image_program=self._program(self.image_path),
            converter=Converter(
                self.convert, "model.synap", "Synaptics", self.convert_timeout_seconds
            ),
            runs=self.runs,
            profile_runs=self.profile_runs,
        )


class AdbSettings(SourceSettings):
    """Settings of a device that is measured over adb."""

    measures: ClassVar[bool] = True

    source: Literal["adb"]
    #: serial number, as ``adb devices`` prints it; None: the only device attached
    serial: Annotated[str, Field(min_length=1)] | None = None
    runner: Annotated[
        BenchmarkModelSettings | LitertBenchmarkSettings | SynapCliSettings,
        Field(discriminator="tool"),
    ]
    #: how long to wait for a device that vanished, for instance because it restarts
    reconnect_seconds: PositiveSeconds = 120.0
    #: largest accepted change of the reference model's time, and the rest after a larger one
    drift_percent: PositiveFloat = 3.0
    cool_down_seconds: NonNegativeSeconds = 30.0

    def open(self, place: SourcePlace) -> AdbSource:
        """Returns the latency source; it does not connect to the device yet."""
        return AdbSource(
            Connection(self.serial, self.reconnect_seconds),
            self.runner.runner(),
            DriftPolicy(self.drift_percent / 100, self.cool_down_seconds),
        )


def default_settings(serial: str) -> AdbSettings:
    """Returns settings for adb:SERIAL: benchmark_model on the CPU, which works on every device."""
    runner = BenchmarkModelSettings(
        tool="benchmark_model", delegate=XnnpackDelegate(kind="xnnpack")
    )
    return AdbSettings(source="adb", serial=serial, runner=runner)
