"""Latency of Arm Ethos-U NPUs, as estimated by Arm's compiler Vela; no NPU is needed.

Vela estimates the cycles of operators on the NPU. ``CpuFallback`` estimates those that it leaves to
the CPU, from the speed of the CPU in the device's settings.
"""

from __future__ import annotations

import importlib.metadata
import math
import tempfile
from collections import Counter
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeAlias, get_args

from pydantic import Field, PositiveFloat, PositiveInt

from search_spaces import InputError, LoweredOperator, NasError

from ..source import (
    INTERVAL,
    DoesNotFit,
    Latency,
    LatencyError,
    LatencyRequest,
    LatencySource,
    OperatorLatency,
)
from ..tflite.requests import TfliteModel, read_tflite, require_integer_only, require_same_operators
from ..worker import Worker
from .cpu_fallback import COST_FACTOR, CpuFallback
from .settings import PositiveSeconds, SourcePlace, SourceSettings
from .vela_config import VelaConfig

#: The supported version: Vela's internal interface may change with every minor version.
SUPPORTED = "5.2"
_NPU_OPERATOR = "CUSTOM:ethos-u"
#: Smallest plausible clock: Vela assumes 1 Hz for a configuration without core_clock.
_MIN_CLOCK_HZ = 1e6


Accelerator: TypeAlias = Literal[
    "ethos-u55-32", "ethos-u55-64", "ethos-u55-128", "ethos-u55-256", "ethos-u65-256",
    "ethos-u65-512", "ethos-u85-128", "ethos-u85-256", "ethos-u85-512", "ethos-u85-1024",
    "ethos-u85-2048",
]  # fmt: skip


def accelerator_named(name: str) -> Accelerator:
    """Returns the accelerator ``name``, ignoring case; InputError lists those that Vela knows."""
    known: tuple[Accelerator, ...] = get_args(Accelerator)
    for accelerator in known:
        if accelerator == name.lower():
            return accelerator
    raise InputError(f"Vela has no accelerator {name!r}; it has {', '.join(known)}")


@dataclass(frozen=True)
class VelaTarget:
    """The target of a compilation: Vela's accelerator, and sections of a configuration file."""

    accelerator: str
    system_config: str
    memory_mode: str
    #: the configuration file; None: the one of Arm
    config: VelaConfig | None = None


@dataclass(frozen=True)
class CompiledCycles:
    """NPU cycles of each operator of the TFLite file, and indices of operators left to the CPU."""

    cycles: tuple[int, ...]
    on_cpu: frozenset[int]
    clock_hz: float
    #: peak SRAM usage
    sram_bytes: int


class VelaSource(LatencySource):
    """Compiles each model in ``worker``; deterministic, about 20 ms per model.

    An operator that Vela fuses into another has 0 ms: its cycles belong to the other. The
    interval covers the estimate of the CPU's time only, not Vela's deviation from real devices.
    """

    def __init__(
        self,
        target: VelaTarget,
        fallback: CpuFallback,
        worker: Worker,
        *,
        sram_kb: int | None = None,
        timeout_seconds: float = 120.0,
    ) -> None:
        """Opens the source; it refuses networks that need more SRAM than ``sram_kb`` (1024 bytes).

        NasError if no supported Vela is installed, InputError if it does not know the target.
        """
        self._compiler = installed_compiler()
        _require_known_target(target)
        if target.config is not None:
            worker.call(timeout_seconds, clock_hz_of, target)
        self._target = target
        self._sram_kb = sram_kb
        self._fallback = fallback
        self._worker = worker
        self._timeout_seconds = timeout_seconds

    @property
    def reads_weights(self) -> bool:
        """True: Vela compresses zeros, and converts PReLUs of equal slopes to leaky ReLUs."""
        return True

    def measure(self, request: LatencyRequest) -> Latency:
        """Compiles the model; LatencyError also if Vela crashes or exceeds the timeout."""
        data = request.make_tflite()
        try:
            model = read_tflite(data)
            require_integer_only(model)
            require_same_operators(request, model)
            compiled = self._worker.call(
                self._timeout_seconds, compile_cycles, data, len(model.operators), self._target
            )
        except NasError as error:
            raise LatencyError(f"{request.name} on {self._target.accelerator}: {error}") from error
        self._require_fitting(request, compiled)
        rows = tuple(
            self._operator_latency(operator, index, compiled)
            for index, operator in enumerate(request.operators)
        )
        return self._latency(rows, compiled)

    def _require_fitting(self, request: LatencyRequest, compiled: CompiledCycles) -> None:
        if self._sram_kb is None or compiled.sram_bytes <= 1024 * self._sram_kb:
            return
        needed_kb = -(-compiled.sram_bytes // 1024)
        raise DoesNotFit(
            f"{request.name} at {request.input} needs {needed_kb} KB of SRAM, and the device has "
            f"{self._sram_kb}; take a smaller input or fewer channels, or sram_kb out of "
            "device.toml if yours has more",
            needed_kb / self._sram_kb - 1,
        )

    def _operator_latency(
        self, operator: LoweredOperator, index: int, compiled: CompiledCycles
    ) -> OperatorLatency:
        if index in compiled.on_cpu:
            return OperatorLatency(operator.name, operator.kind, "cpu", self._fallback.ms(operator))
        ms = 1e3 * compiled.cycles[index] / compiled.clock_hz
        return OperatorLatency(operator.name, operator.kind, "npu", ms)

    def _latency(self, rows: tuple[OperatorLatency, ...], compiled: CompiledCycles) -> Latency:
        npu_ms = sum(row.ms for row in rows if row.engine == "npu")
        cpu_ms = sum(row.ms for row in rows if row.engine == "cpu")
        return Latency(
            ms=npu_ms + cpu_ms,
            low_ms=npu_ms + cpu_ms / COST_FACTOR,
            high_ms=npu_ms + cpu_ms * COST_FACTOR,
            operators=rows,
            on_cpu=tuple(row.name for row in rows if row.engine == "cpu"),
            source=self._compiler,
            conditions=(
                ("accelerator", self._target.accelerator),
                ("system_config", self._target.system_config),
                ("memory_mode", self._target.memory_mode),
                (INTERVAL, "what the CPU takes may be half or double" if cpu_ms else "none"),
                ("clock_mhz", f"{compiled.clock_hz / 1e6:g}"),
                ("sram_kb_used", str(-(-compiled.sram_bytes // 1024))),
                ("cpu_bandwidth_gb_per_s", f"{self._fallback.bandwidth_gb_per_s:g}"),
                ("cpu_gmac_per_s", f"{self._fallback.gmac_per_s:g}"),
            ),
        )


class VelaSettings(SourceSettings):
    """Settings of a device that is estimated by Vela; names as in Arm's vela.ini."""

    source: Literal["vela"]
    accelerator: Accelerator
    system_config: str
    memory_mode: str
    #: a configuration file beside device.toml; None: Arm's vela.ini, which comes with Vela
    config: Annotated[str, Field(pattern=r"^[^/\\]+\.ini$")] | None = None
    #: size of the SRAM in units of 1024 bytes; networks that need more are refused
    sram_kb: PositiveInt | None = None
    #: speed of the CPU that runs the operators left by the NPU; assumed, see the device's card
    cpu_bandwidth_gb_per_s: PositiveFloat
    cpu_gmac_per_s: PositiveFloat
    timeout_seconds: PositiveSeconds = 120.0

    @property
    def tables(self) -> tuple[str, ...]:
        """The name of the configuration file, if there is one."""
        return () if self.config is None else (self.config,)

    def compiler(self) -> str:
        """Name and version of the installed Vela."""
        return installed_compiler()

    def open(self, place: SourcePlace) -> VelaSource:
        """The latency source; NasError if Vela is not installed."""
        config = None if self.config is None else VelaConfig.read(place.folder / self.config)
        return VelaSource(
            VelaTarget(self.accelerator, self.system_config, self.memory_mode, config),
            CpuFallback(self.cpu_bandwidth_gb_per_s, self.cpu_gmac_per_s),
            place.worker,
            sram_kb=self.sram_kb,
            timeout_seconds=self.timeout_seconds,
        )


def installed_compiler() -> str:
    """Returns name and version, "vela 5.2.0"; NasError if no supported Vela is installed."""
    try:
        version = importlib.metadata.version("ethos-u-vela")
    except importlib.metadata.PackageNotFoundError:
        version = "none"
    if not version.startswith(f"{SUPPORTED}."):
        raise NasError(
            f"ethos-u-vela {version} is installed; this device needs {SUPPORTED}: "
            f"pip install 'ethos-u-vela=={SUPPORTED}.*'"
        )
    return f"vela {version}"


def _require_known_target(target: VelaTarget) -> None:
    config = target.config or VelaConfig.read_packaged()
    config.system(target.system_config)
    config.memory_mode(target.memory_mode)


def clock_hz_of(target: VelaTarget) -> float:
    """Returns the NPU's clock; InputError if Vela refuses the configuration. Runs in the worker."""
    architecture, _, _ = _configuration(target)
    return float(architecture.core_clock)


def compile_cycles(data: bytes, operators: int, target: VelaTarget) -> CompiledCycles:
    """Compiles the TFLite file ``data``, with ``operators`` operators; LatencyError on failure.

    Runs in the worker, since a damaged file may crash the compiler.
    """
    from ethosu import regor

    architecture, config, options = _configuration(target)
    family = "".join(part.capitalize() for part in target.accelerator.split("-")[:-1])
    try:
        compiled = regor.compile(family, data, "TFLITE", config, options=options, verbose=False)
    except Exception as error:
        message = " ".join(str(error).split())
        raise LatencyError(f"Vela cannot compile it: {message}") from None
    cycles, on_cpu = _cycles_by_operator(compiled.opt_database.tables, operators)
    if sum(cycles) != compiled.perf_report.totalCycles:
        raise LatencyError(
            f"Vela's operators take {sum(cycles)} cycles and its model "
            f"{compiled.perf_report.totalCycles}: its interface has changed"
        )
    _require_consistent_fallback(read_tflite(data), read_tflite(bytes(compiled.model)), on_cpu)
    used = compiled.perf_report.memories.get("Sram")
    sram_bytes = 0 if used is None else int(used.peakUsage)
    return CompiledCycles(cycles, on_cpu, float(architecture.core_clock), sram_bytes)


def _configuration(target: VelaTarget) -> tuple[Any, str, str]:
    """Returns Vela's architecture, its text for the compiler, and the compiler's default options.

    InputError if Vela refuses the target's configuration.
    """
    from ethosu.vela.vela import get_compiler_config

    config_text = (target.config or VelaConfig.read_packaged()).plain_text
    architecture = _architecture(target, config_text)
    config = (
        f"[architecture]\nmacs={architecture.num_macs_per_cycle}\ncores={architecture.ncores}\n"
        f"[vela]\nsystem_config_name={target.system_config}\n"
        f"memory_mode_name={target.memory_mode}\n{config_text}"
    )
    options = get_compiler_config(
        enable_debug_db=True,
        verbose_all=False,
        verbose_high_level_command_stream=False,
        verbose_register_command_stream=False,
        optimize="Performance",
        arena_cache_size=architecture.arena_cache_size,
        verbose_schedule=False,
        verbose_allocation=False,
        verbose_graph=False,
        verbose_quantization=False,
        verbose_packing=False,
        verbose_performance=False,
        show_cpu_operations=False,
        output_format="tflite",
        disable_chaining=False,
        disable_fwd=False,
        disable_cascading=False,
        disable_buffering=False,
        disable_ifm_reuse=False,
        cop_format="COP1",
        separate_io_regions=False,
        cpu_tensor_alignment=16,
        tensor_allocator="HillClimb",
        softmax_int16_neg_exp_range=10.0,
    )
    return architecture, config, options


def _architecture(target: VelaTarget, config_text: str) -> Any:
    from ethosu.vela.architecture_features import ArchitectureFeatures
    from ethosu.vela.errors import VelaError

    with tempfile.NamedTemporaryFile("w", suffix=".ini", encoding="utf-8") as file:
        file.write(config_text)
        file.flush()
        where = target.config.where if target.config else "Vela"
        try:
            architecture = ArchitectureFeatures(
                vela_config_files=[file.name],
                accelerator_config=target.accelerator,
                system_config=target.system_config,
                memory_mode=target.memory_mode,
                max_blockdep=ArchitectureFeatures.MAX_BLOCKDEP,
                verbose_config=False,
                arena_cache_size=None,
            )
        except (VelaError, KeyError, ValueError) as error:
            reason = _refusal_reason(error)
            raise InputError(
                f"{where}: Vela does not take System_Config.{target.system_config} with "
                f"Memory_Mode.{target.memory_mode} for {target.accelerator}: {reason}"
            ) from None
    if not _MIN_CLOCK_HZ <= architecture.core_clock < math.inf:
        raise InputError(
            f"{where}: System_Config.{target.system_config} has a core_clock of "
            f"{architecture.core_clock:g} Hz; write it as 500e6"
        )
    for memory in (architecture.axi0_port, architecture.axi1_port):
        scale = architecture.memory_clock_scales[memory]
        if not (math.isfinite(scale) and scale > 0):
            raise InputError(
                f"{where}: System_Config.{target.system_config}: "
                f"{memory.name}_clock_scale is {scale:g}; it is a part of the core's clock, above 0"
            )
    return architecture


def _refusal_reason(error: Exception) -> str:
    """Returns why Vela refuses a configuration; a KeyError only has the missing name."""
    if isinstance(error, KeyError):
        return f"it knows no {error.args[0]}"
    return " ".join(str(getattr(error, "error_msg", error)).split())


def _cycles_by_operator(tables: Any, operators: int) -> tuple[tuple[int, ...], frozenset[int]]:
    """Returns the cycles of each operator, all its parts, and the indices of those on the CPU."""
    try:
        # The key ext_key is the operator's index in the file.
        index_of = {row["id"]: int(row["ext_key"]) for row in _rows(tables["source"])}
        cycles, on_cpu = [0] * operators, set()
        for row in _rows(tables["perf"]):
            index = index_of[row["source_id"]]
            cycles[index] += int(row["op_cycles"])
            if row["operator"] == "Passthrough":
                on_cpu.add(index)
    except (KeyError, ValueError, IndexError) as error:
        raise LatencyError(
            f"Vela's performance table is not as expected: {type(error).__name__} {error}"
        ) from None
    return tuple(cycles), frozenset(on_cpu)


def _rows(table: Any) -> list[dict[str, str]]:
    return [dict(zip(table.header, row, strict=True)) for row in table.data]


def _require_consistent_fallback(
    source: TfliteModel, compiled: TfliteModel, on_cpu: frozenset[int]
) -> None:
    """Raises LatencyError unless the compiled file and the table agree on operators on the CPU."""
    left = Counter(op.kind for op in compiled.operators if op.kind != _NPU_OPERATOR)
    listed = Counter(source.operators[index].kind for index in on_cpu)
    if left != listed:
        raise LatencyError(
            f"Vela leaves {dict(left)} to the CPU, but its table says {dict(listed)}"
        )
