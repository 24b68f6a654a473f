"""Stands in for an interpreter with rknn-toolkit2: prints a table of layers as the compiler does.

Called as the source calls the interpreter: -I CHILD MODEL PLATFORM, or -I CHILD. The cycles follow
a rule of its own: convolutions pay for arithmetic and memory, an addition is fused into the one
before it, the CPU puts the pixels in their places.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from latency_models.tflite.requests import TfliteTensor, operators_of_model, read_tflite
from search_spaces import LoweredOperator

ON_CPU = {"DEPTH_TO_SPACE": "DepthToSpace", "SPACE_TO_DEPTH": "SpaceToDepth"}
ON_NPU = {"CONCATENATION": "Concat", "RESIZE_BILINEAR": "Resize", "SPLIT": "Split"}
FUSED = ("ADD", "RELU", "MINIMUM")


def layer(operator: LoweredOperator, output: TfliteTensor) -> str | None:
    """From the operator's type to its name; None: it is fused."""
    read_kb, shape = sum(t.bytes for t in operator.inputs) // 1024, shape_of(output)
    if operator.kind in ON_CPU:
        op = ON_CPU[operator.kind]
        return f"{op} INT8 CPU \\ {shape} 0/0/0 {read_kb} {op}:{output.name}_prequant"
    if operator.macs:
        ddr, npu = operator.bytes_moved // 24, operator.macs // 1024
        cycles = f"{ddr}/{npu}/{max(ddr, npu)}"
        return f"Conv INT8 NPU \\ {shape} {cycles} {read_kb} Conv:{output.name}_prequant"
    if operator.kind in FUSED:
        return None
    op = ON_NPU[operator.kind]
    return f"{op} INT8 NPU \\ {shape} 0/0/0 {read_kb} {op}:{output.name}_prequant"


def shape_of(tensor: TfliteTensor) -> str:
    batch, height, width, channels = tensor.shape
    return f"({batch},{channels},{height},{width})"


def layers(model: Path) -> Iterator[str]:
    read = read_tflite(model.read_bytes())
    yield f"InputOperator INT8 CPU \\ {shape_of(read.inputs[0])} 0/0/0 0 InputOperator:image"
    for lowered, operator in zip(operators_of_model(read), read.operators, strict=True):
        if text := layer(lowered, operator.outputs[0]):
            yield text
    yield f"OutputOperator INT8 CPU {shape_of(read.outputs[0])} \\ 0/0/0 162 OutputOperator:pixels"


if __name__ == "__main__":
    print("compiler: rknn-toolkit2 0.0")
    for model in sys.argv[3:4]:
        for index, text in enumerate(layers(Path(model))):
            print(f"D RKNN: [12:00:00.000] {index}   {text}")
