"""Names of operators by kind and enlargement: some NPUs run an operator for some factors only.

``RESIZE_BILINEAR x3`` are the operators of the kind ``RESIZE_BILINEAR`` whose output has three
times the width of their input. A name without a factor stands for all factors.
"""

from __future__ import annotations

from search_spaces import LoweredOperator

#: Kinds of operators whose engine may depend on the factor by which they enlarge.
ENLARGING = frozenset({"RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR", "TRANSPOSE_CONV"})


def name_of(operator: LoweredOperator) -> str:
    """Returns the kind of an operator, with its factor if it is an enlarging kind."""
    if operator.kind not in ENLARGING:
        return operator.kind
    out = operator.outputs[0]
    read = operator.inputs[0] if operator.inputs else out
    return with_factor(operator.kind, round(out.shape[1] / read.shape[1]))


def with_factor(kind: str, factor: int) -> str:
    """Returns the name of the operators of ``kind`` that enlarge by ``factor``."""
    return f"{kind} x{factor}"


def kind_of(name: str) -> str:
    """Returns the kind of the operators that a name stands for."""
    return name.partition(" x")[0]


def has_factor(name: str) -> bool:
    """Returns whether a name stands for one factor alone."""
    return " x" in name
