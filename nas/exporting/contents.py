"""Describes the files of an export other than the models, for the page of the model card."""

from __future__ import annotations

from collections.abc import Collection

from ..evaluation.model_card import markdown_table

KERAS = "network.weights.h5"
#: file name -> description
_FILES = {
    "model.tflite": "copy of the first INT8 file, under the name that the AI Benchmark app expects",
    "example.py": "enlarges a picture with any of the models: ai-edge-litert, numpy and pillow",
    "RUN.md": "how to time it on a device",
    KERAS: "Keras weights, loaded by `nas.training.keras_model.load_keras_model`",
    "weights.npz": "the same weights as NumPy arrays, by name",
    "card.json": "this card as JSON, with the architecture; `nas train card.json` trains it",
    "SHA256SUMS": "`sha256sum --check SHA256SUMS`",
}


def other_files(left_out: Collection[str] = ()) -> str:
    """Returns the card's section on the files other than the models, without ``left_out``."""
    rows = [(f"`{name}`", text) for name, text in _FILES.items() if name not in left_out]
    return f"## Other files\n\n{markdown_table(('file', 'what'), rows)}"
