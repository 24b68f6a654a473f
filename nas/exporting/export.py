"""Writes export folders; all contents of a folder are made and evaluated before any is written."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from latency_models import Worker
from search_spaces import Graph, InputError, InputSpec, NasError

from ..data.images import Data, ImageSet, load_data
from ..evaluation.model_card import ModelCard
from ..quality.tiles import require_tiles
from ..system.files import json_text, require_folder_or_nothing
from .contents import KERAS, other_files
from .folder import remove_stale, require_free, require_writable, write_folder
from .instructions import instructions
from .models import ANY_SIZE, ExportedModel, ModelMaker
from .source import Source

if TYPE_CHECKING:
    from ..training.job import Weights

_KERAS_TIMEOUT_SECONDS = 120.0


@dataclass(frozen=True)
class Export:
    """Options of an export: LR sizes (if none, the size in the card), and the image folder."""

    sizes: tuple[InputSpec, ...] = ()
    #: folder of the images; None: the folder named in the card
    data: str | None = None

    def run(
        self,
        sources: Sequence[Source],
        target: Path,
        worker: Worker,
        observe: Callable[[ExportedModel], None],
    ) -> list[Path]:
        """Writes the folder of each source, in ``target`` or as ``target``; returns all files.

        ``observe`` is called with each model after its evaluation. Raises InputError if ``target``
        cannot be used or the images are not those of the card, and CandidateError if a model's
        quality differs from its card; the folder of that source is then not written.
        """
        folders = [target / source.folder for source in sources]
        require_folder_or_nothing(target, "name a folder to export to")
        for folder in folders:
            require_free(folder)
        require_writable(target)
        makers = self._makers(sources, worker)
        written: list[Path] = []
        for maker, folder in zip(makers, folders, strict=True):
            written += write_folder(folder, self._content(maker, observe))
        if any(source.folder for source in sources):
            remove_stale(target, folders, _origin_prefix_of_front(sources[0].card))
        return written

    def _makers(self, sources: Sequence[Source], worker: Worker) -> list[ModelMaker]:
        """Makes one ``ModelMaker`` a source, after checking its images and all requested sizes."""
        images: dict[tuple[str, int], Data] = {}
        makers = []
        for source in sources:
            card = source.card
            key = self.data or card.data, card.scale
            if key not in images:
                images[key] = self._load(card)
            validation = _require_card_images(images[key], card)
            for size in self.sizes:
                require_tiles(card.candidate.deployed, size, validation)
            makers.append(ModelMaker(source, worker, validation))
        return makers

    def _content(
        self, maker: ModelMaker, observe: Callable[[ExportedModel], None]
    ) -> dict[str, bytes]:
        """Returns the contents of all files by name, except the checksums."""
        source, card = maker.source, maker.source.card
        maker.require_own_weights()
        models: list[ExportedModel] = []
        for size in self.sizes or (card.input,):
            for model in maker.make_fixed_size(size):
                observe(model)
                models.append(model)
        left_out = {}
        try:
            models.append(maker.make_any_size())
            observe(models[-1])
        except NasError as error:  # optional: it is useful on desktops only
            left_out[ANY_SIZE] = str(error)
        graph = card.candidate.deployed
        card = _exported_card(card, models)
        texts = {
            "card.json": json_text(card.to_json(), indent=1) + "\n",
            "card.md": _card_page(card, left_out),
            "RUN.md": instructions(card.files, source.device),
            "example.py": files(__package__).joinpath("example.py").read_text(encoding="utf-8"),
        }
        return {
            **{model.file: model.tflite for model in models},
            "model.tflite": models[0].tflite,
            KERAS: maker.worker.call(_KERAS_TIMEOUT_SECONDS, keras_weights, graph, source.weights),
            "weights.npz": source.npz,
            **{name: text.encode() for name, text in texts.items()},
        }

    def _load(self, card: ModelCard) -> Data:
        try:
            return load_data(self.data or card.data, card.scale)
        except InputError as error:
            raise InputError(
                f"{card.name} was judged on {card.data!r}: {error}. Say where it is now by --data"
            ) from None


def _origin_prefix_of_front(card: ModelCard) -> str:
    """Returns the text with which the origin of every network of this study begins."""
    return f"{card.origin.partition(', trial ')[0]}, trial "


def _exported_card(card: ModelCard, models: Sequence[ExportedModel]) -> ModelCard:
    """Returns the card with the exported files listed and without paths of this machine."""
    files = tuple(model.card_entry for model in models)
    return replace(card, data=card.data_label, device_found_as=None, command="", files=files)


def _card_page(card: ModelCard, left_out: Mapping[str, str]) -> str:
    """Returns card.md: the card and the other files; ``left_out`` maps missing files to reasons."""
    parts = [
        card.to_markdown().rstrip(),
        "Each file is integer-only and was evaluated when it was exported, on tiles of its own "
        "input size: tile borders depend on that size and change the last digits of the results.",
        *(f"`{file}` is left out: {reason}." for file, reason in left_out.items()),
        other_files(),
    ]
    return "\n\n".join(parts) + "\n"


def _require_card_images(data: Data, card: ModelCard) -> ImageSet:
    """Returns the validation images; InputError unless the card was evaluated on them."""
    if data.fingerprint != card.data_fingerprint:
        raise InputError(
            f"{data.name}: not the images that {card.name} was judged on (fingerprint "
            f"{data.fingerprint}, not {card.data_fingerprint}); name their folder by --data"
        )
    return data.validation


def keras_weights(graph: Graph, weights: Weights) -> bytes:
    """Returns a network's ``.weights.h5``, verified by reading it back. Runs in the worker."""
    from ..training.keras_model import load_keras_model, save_keras_weights, weights_of

    with tempfile.TemporaryDirectory(prefix="nas-export-") as folder:
        path = Path(folder) / KERAS
        save_keras_weights(graph, weights, path)
        read_back = weights_of(load_keras_model(graph, path))
        if any((weights[name] != value).any() for name, value in read_back.items()):
            raise NasError(f"Keras reads other weights from {KERAS} than it wrote; report it")
        return path.read_bytes()
