"""What LiteRT's NPU took of a model, by what its runtime logs.

A vendor's plugin compiles what it can of the graph into DISPATCH_OPs, which the dispatch delegate
then runs. Where a library is missing or the plugin fails, the runtime goes on with the CPU and says
so in a warning at most: a time counts only with the lines around it. Their texts:
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
    """What ``npu`` took of a model of so many operators.

    DeviceError if it took nothing, if a part of the way failed, or if nothing is said of it.
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
        raise DeviceError("nothing is said of the NPU running anything: it is the CPU's time", text)
    # What the plugin rewrote before it chose may be another number of operators than the file's.
    left = sum(total - taken for taken, total in dispatched)
    if selected and left != sum(total - taken for taken, total in selected):
        raise DeviceError("LiteRT's lines on what the NPU took are at odds", text)
    if not any(taken for taken, _ in dispatched) or not 0 <= left < operators:
        raise DeviceError(f"the NPU left {left} of {operators} operators to the CPU", text)
    return Delegation(npu, operators - left, operators, text)


def _counts(lines: Sequence[str], pattern: re.Pattern[str]) -> list[tuple[int, int]]:
    """(taken, of so many) of each line."""
    return [(int(match[1]), int(match[2])) for line in lines if (match := pattern.fullmatch(line))]
