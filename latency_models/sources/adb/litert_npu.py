"""Reads from the log of LiteRT's runtime how many operators an NPU took.

A vendor's plugin compiles parts of the graph into DISPATCH_OPs, which the dispatch delegate runs.
If a library is missing or the plugin fails, the runtime continues on the CPU, with a warning at
most. A time is therefore accepted only if the log has the lines about the NPU. Their sources:
litert/compiler/plugin/compiler_plugin.cc, litert/runtime/compiled_model.cc,
litert/runtime/dispatch/dispatch_delegate.cc and tflite/core/subgraph.cc of google-ai-edge/LiteRT.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from .delegation import Delegate, Delegation
from .errors import DeviceError
from .printed import complete_lines

_FAILURE = re.compile(
    r"Failed to (?:load|apply) compiler plugins\b.*|Plugin errs: .*|Failed to compile model\b.*"
    r"|Some ops are not accelerated\b.*"
    r"|.*\b(?:cannot|failed to) (?:load|open|initialize) .*[Dd]ispatch.*",
    re.IGNORECASE,
)
_PARTITIONED = re.compile(
    r"Partitioned subgraph<\d+>, selected (\d{1,9}) ops, from a total of (\d{1,9}) ops\. "
    r"resulted in \d+ partitions\."
)
_DISPATCHED = re.compile(
    r"Replacing (\d{1,9}) out of (\d{1,9}) node\(s\) with delegate \(DispatchDelegate\) node, "
    r"yielding \d+ .*"
)


def read_npu_delegation(text: str, npu: Delegate, operators: int) -> Delegation:
    """Reads how many of the model's ``operators`` operators ``npu`` took.

    DeviceError if it took nothing, if a step failed, or if the log does not say.
    """
    lines = complete_lines(text)
    failure = next(filter(None, map(_FAILURE.fullmatch, lines)), None)
    if failure is not None:
        raise DeviceError(f"the NPU could not be used: {failure[0]}", text)
    selected = _counts(lines, _PARTITIONED)
    dispatched = _counts(lines, _DISPATCHED)
    if not dispatched:
        if selected and not any(taken for taken, _ in selected):
            raise DeviceError("the NPU's compiler took no operator", text)
        raise DeviceError("the log names no operator on the NPU: it is the CPU's time", text)
    # The plugin may have rewritten the graph: the number of operators may differ from the file's.
    left = sum(total - taken for taken, total in dispatched)
    if selected and left != sum(total - taken for taken, total in selected):
        raise DeviceError("LiteRT's lines about the NPU contradict each other", text)
    if not any(taken for taken, _ in dispatched) or not 0 <= left < operators:
        raise DeviceError(f"the NPU left {left} of {operators} operators to the CPU", text)
    return Delegation(npu, operators - left, operators, text)


def _counts(lines: Sequence[str], pattern: re.Pattern[str]) -> list[tuple[int, int]]:
    """Returns (taken, total) of each line that matches ``pattern``."""
    return [(int(match[1]), int(match[2])) for line in lines if (match := pattern.fullmatch(line))]
