"""How the weights of a network are named: "node/variable", both names as the graph has them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

Value = TypeVar("Value")


def own_values(values: Mapping[str, Value], node: str) -> dict[str, Value]:
    """Those of the node of that name, by the names of its operator's variables.

    Names of nodes may hold slashes, those of variables do not.
    """
    keys = ((key, *key.rpartition("/")) for key in values)
    return {variable: values[key] for key, name, _, variable in keys if name == node}
