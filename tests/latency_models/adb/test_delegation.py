from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latency_models.sources.adb.delegation import Delegate, read_delegation
from latency_models.sources.adb.errors import DeviceError

from .test_benchmark_output import PREFIXES, WHOLE, prefixed

NNAPI = Delegate("NNAPI", "npu", ("--use_nnapi=true",))
EXTERNAL = Delegate("EXTERNAL", "npu", ())
STABLE = Delegate("STABLE_DELEGATE", "npu", ())
GPU = Delegate("GPU", "gpu", ())
XNNPACK = Delegate("XNNPACK", "cpu", ())

APPLIED = "Explicitly applied {} delegate, and the model graph will be {} executed by the delegate"
COMPLETELY = APPLIED + ".\n"
PARTIALLY = APPLIED + " w/ 2 delegate kernels.\n"
NOT = (
    "Though {} delegate is explicitly applied, the model graph will not be executed by the "
    "delegate.\n"
)
NEW = "Replacing {} out of {} node(s) with delegate ({}) node, yielding {} partitions{}.\n"
OLD = "Replacing {} node(s) with delegate ({}) node, yielding {} partitions.\n"
BY_PROCESSOR = "Created TensorFlow Lite XNNPACK delegate for CPU.\n" + NEW.format(
    9, 14, "TfLiteXNNPackDelegate", 2, " for subgraph 0"
)


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize(
    ("delegate", "text", "taken"),
    [
        (NNAPI, "NNAPI delegate created.\n" + COMPLETELY.format("NNAPI", "completely"), 14),
        (NNAPI, "Applied NNAPI delegate, and the model graph will be completely executed w/ the "
         "delegate.\n", 14),
        (NNAPI, NEW.format(14, 14, "TfLiteNnapiDelegate", 1, " for the whole graph")
         + COMPLETELY.format("NNAPI", "completely"), 14),
        (NNAPI, NEW.format(5, 14, "TfLiteNnapiDelegate", 2, " for subgraph 0")
         + PARTIALLY.format("NNAPI", "partially") + BY_PROCESSOR, 5),
        (NNAPI, OLD.format(13, "TfLiteNnapiDelegate", 2) + PARTIALLY.format("NNAPI", "partially"),
         13),
        (EXTERNAL, "Vx delegate: allowed_builtin_code set to 0.\nEXTERNAL delegate created.\n"
         + NEW.format(14, 14, "Vx Delegate", 1, "") + COMPLETELY.format("EXTERNAL", "completely"),
         14),
        (EXTERNAL, "QNN delegate: 12 nodes delegated out of 14 nodes with 2 partitions.\n"
         + PARTIALLY.format("EXTERNAL", "partially"), 12),
        (STABLE, COMPLETELY.format("STABLE_DELEGATE", "completely"), 14),
        (GPU, "Created TensorFlow Lite delegate for GPU.\n"
         + NEW.format(14, 14, "TfLiteGpuDelegateV2", 1, "")
         + COMPLETELY.format("GPU", "completely"), 14),
        (XNNPACK, BY_PROCESSOR + PARTIALLY.format("XNNPACK", "partially"), 9),
    ],
)  # fmt: skip
def test_what_each_version_says(delegate: Delegate, text: str, taken: int, prefix: str) -> None:
    assert read_delegation(prefixed(text + WHOLE, prefix), delegate, 14).taken == taken


@pytest.mark.parametrize(
    ("delegate", "text", "message"),
    [
        (NNAPI, "", "no statement that the NNAPI delegate"),
        (NNAPI, BY_PROCESSOR, "no statement that the NNAPI delegate"),
        (NNAPI, "NNAPI delegate created.\n" + NOT.format("NNAPI"), "took no operator"),
        # The driver takes the model, then gives it up.
        (NNAPI, NEW.format(14, 14, "TfLiteNnapiDelegate", 1, "") + NOT.format("NNAPI"),
         "took no operator"),
        (NNAPI, COMPLETELY.format("GPU", "completely"), "no statement that the NNAPI delegate"),
        (NNAPI, PARTIALLY.format("NNAPI", "partially"), "no statement says how many"),
        (NNAPI, NEW.format(0, 14, "TfLiteNnapiDelegate", 1, ""), "took 0 of the model's 14"),
        (NNAPI, NEW.format(31, 31, "TfLiteNnapiDelegate", 1, ""), "took 31 of the model's 14"),
        (NNAPI, NEW.format(13, 14, "TfLiteNnapiDelegate", 1, "")
         + COMPLETELY.format("NNAPI", "completely"), "took 13 of .* 14 operators, and all"),
        (EXTERNAL, "Could not create Hexagon delegate: platform may not support delegate or "
         "required libraries are missing\n", "could not be used: Could not create Hexagon"),
        (EXTERNAL, "Failed to load external delegate library libvx_delegate.so\n", "not be used"),
        (NNAPI, "Could not find the specified NNAPI accelerator: npu. Must be one of: {x}\n",
         "could not be used: Could not find"),
        (GPU, "Failed to apply GPU delegate.\n" + COMPLETELY.format("GPU", "completely"),
         "could not be used: Failed to apply"),
        (NNAPI, "Disallowed CPU fallback detected.\n", "could not be used"),
    ],
)  # fmt: skip
def test_what_is_no_delegation(delegate: Delegate, text: str, message: str) -> None:
    """The tool goes on and prints its times."""
    with pytest.raises(DeviceError, match=message) as error:
        read_delegation(text + WHOLE, delegate, 14)
    assert error.value.text == text + WHOLE


def test_trouble_of_the_processor_s_delegate_is_not_the_npu_s() -> None:
    text = COMPLETELY.format("NNAPI", "completely") + "Failed to apply XNNPACK delegate.\n"
    assert read_delegation(text, NNAPI, 14).taken == 14


@given(
    taken=st.integers(0, 40),
    nodes=st.integers(1, 40),
    text=st.text(),
    delegate=st.sampled_from([NNAPI, EXTERNAL, STABLE, GPU]),
)
def test_a_count_is_that_of_the_text_or_none(
    taken: int, nodes: int, text: str, delegate: Delegate
) -> None:
    statement = NEW.format(taken, nodes, "SomeDelegate", 1, "")
    if 0 < taken <= nodes:
        assert read_delegation(f"{text}\n{statement}", delegate, nodes).taken == taken
    else:
        with pytest.raises(DeviceError):
            read_delegation(f"{text}\n{statement}", delegate, nodes)
    with pytest.raises(DeviceError):
        read_delegation(text, delegate, nodes)
