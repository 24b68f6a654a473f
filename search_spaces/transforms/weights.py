"""Names of a network's weights: "node/variable", with the graph's names of both."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

Value = TypeVar("Value")


def own_values(values: Mapping[str, Value], node: str) -> dict[str, Value]:
    """Returns the values of the node named ``node``, by the names of its operator's variables.

    Names of nodes may contain slashes, names of variables do not.
    """
    keys = ((key, *key.rpartition("/")) for key in values)
    return {variable: values[key] for key, name, _, variable in keys if name == node}
