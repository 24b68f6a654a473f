"""The files of an export beside the models: a line on the card's page for each."""

from __future__ import annotations

from collections.abc import Collection

from ..evaluation.model_card import markdown_table

KERAS = "network.weights.h5"
_FILES = {
    "model.tflite": "the first INT8 file again, by the name that the AI Benchmark app asks for",
    "example.py": "enlarges a picture with any of the models: ai-edge-litert, numpy and pillow",
    "RUN.md": "how to time it on a device",
    KERAS: "Keras weights, loaded by `nas.training.keras_model.load_keras_model`",
    "weights.npz": "the same values by name",
    "card.json": "this card for programs, with the architecture; `nas train card.json` trains it",
    "SHA256SUMS": "`sha256sum --check SHA256SUMS`",
}


def other_files(left_out: Collection[str] = ()) -> str:
    """Section of the card about all files but the models, and about ``left_out`` ones."""
    rows = [(f"`{name}`", what) for name, what in _FILES.items() if name not in left_out]
    return f"## Other files\n\n{markdown_table(('file', 'what'), rows)}"
