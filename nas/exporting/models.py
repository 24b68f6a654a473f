"""Makes the TFLite files of an export; each must be integer-only and match its card's quality."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from latency_models import WeightGranularity, Worker
from latency_models.tflite.requests import (
    read_tflite,
    require_integer_only,
    require_super_resolution,
    weight_granularity,
)
from search_spaces import CandidateError, Graph, InputSpec, NasError, infer

from ..data.images import ImageSet
from ..evaluation.evaluator import CONVERSION_TIMEOUT_SECONDS
from ..evaluation.inference import AnySizeUpscaler, TfliteUpscaler
from ..evaluation.model_card import SIGNED, UNSIGNED, ModelFile
from ..quality.image_quality import evaluate
from ..system.cores import Cores
from .source import Source
from .unsigned import with_unsigned_ends

if TYPE_CHECKING:
    from ..training.job import Weights

ANY_SIZE = "dynamic_int8.tflite"
#: Tolerance for the file that the card describes, evaluated again: rounding of the mean.
_SAME_FILE_TOLERANCE_DB = 1e-6
#: Tolerance for the same network converted again: converter versions may round differently.
_RECONVERTED_TOLERANCE_DB = 1e-3
#: Tolerance for other input sizes, whose tiles have other borders; larger means another network.
_OTHER_SIZE_TOLERANCE_DB = 0.1


@dataclass(frozen=True)
class ExportedModel:
    """A TFLite file of the export, with its entry in the card."""

    tflite: bytes = field(repr=False)
    card_entry: ModelFile
    #: folder within the export, see ``Source.folder``
    folder: str

    @property
    def file(self) -> str:
        return self.card_entry.file

    @property
    def psnr_db(self) -> float:
        return self.card_entry.quality.psnr_db


@dataclass(frozen=True)
class ModelMaker:
    """Makes the files of one source and evaluates them on the card's validation images."""

    source: Source
    worker: Worker
    validation: ImageSet

    def require_own_weights(self) -> None:
        """Raises CandidateError unless the weights are those of the file that the card describes.

        With other weights, the Keras file and files of other sizes would hold another network.
        """
        size = self.source.card.input
        tflite = self._convert(size)
        if tflite != self.source.tflite:
            reconverted = self._evaluated_model("the file of weights.npz", tflite, size, SIGNED)
            self._require_card_quality(reconverted, _RECONVERTED_TOLERANCE_DB)

    def make_fixed_size(self, size: InputSpec) -> tuple[ExportedModel, ExportedModel]:
        """Makes the INT8 file for images of ``size``, and the same with uint8 input and output.

        Raises GraphError if the network does not accept that size, InputError if the size is too
        small to cut images into tiles, CandidateError if a file's quality differs from the card.
        """
        card = self.source.card
        infer(card.candidate.deployed, size)
        is_card_size = size == card.input
        tflite = self.source.tflite if is_card_size else self._convert(size)
        signed = self._evaluated_model(f"int8_{size}.tflite", tflite, size, SIGNED)
        self._require_card_quality(
            signed, _SAME_FILE_TOLERANCE_DB if is_card_size else _OTHER_SIZE_TOLERANCE_DB
        )
        unsigned = self._evaluated_model(
            f"uint8_{size}.tflite", with_unsigned_ends(tflite), size, UNSIGNED
        )
        if unsigned.card_entry.quality != signed.card_entry.quality:
            raise CandidateError(
                f"{unsigned.file} gives {unsigned.psnr_db} dB and {signed.file} {signed.psnr_db} "
                "dB; they are one network and must agree. Please report it"
            )
        return signed, unsigned

    def make_any_size(self) -> ExportedModel:
        """Makes the INT8 file for images of any size; raises NasError if that is not possible."""
        tflite = self._convert(None)
        upscaler = AnySizeUpscaler(tflite, self.worker, Cores.available().count)
        quality = evaluate(upscaler.upscale, self.validation)
        card_entry = ModelFile(ANY_SIZE, None, SIGNED, quality.rgb)
        model = ExportedModel(tflite, card_entry, self.source.folder)
        self._require_card_quality(model, _OTHER_SIZE_TOLERANCE_DB)
        return model

    def _convert(self, size: InputSpec | None) -> bytes:
        card = self.source.card
        granularity = weight_granularity(read_tflite(self.source.tflite))
        return self.worker.call(
            CONVERSION_TIMEOUT_SECONDS, _convert_file, card.candidate.deployed, self.source.weights,
            size, granularity,
        )  # fmt: skip

    def _evaluated_model(
        self, file: str, tflite: bytes, size: InputSpec, dtype: str
    ) -> ExportedModel:
        signature = require_super_resolution(read_tflite(tflite))
        found = signature.levels.dtype
        if (signature.input, found, signature.scale) != (size, dtype, self.source.card.scale):
            raise NasError(
                f"{file} takes {found} images of {signature.input} and enlarges {signature.scale} "
                f"times; {self.source.card.name} should have {dtype}, {size} and "
                f"{self.source.card.scale}. Was its file changed?"
            )
        # Raises an error if the file is not integer-only.
        upscaler = TfliteUpscaler(tflite, self.worker, Cores.available().count)
        quality = evaluate(upscaler.upscale, self.validation)
        card_entry = ModelFile(file, size, dtype, quality.rgb)
        return ExportedModel(tflite, card_entry, self.source.folder)

    def _require_card_quality(self, model: ExportedModel, tolerance_db: float) -> None:
        card = self.source.card
        if not abs(model.psnr_db - card.quality.psnr_db) <= tolerance_db:
            raise CandidateError(
                f"{model.file} gives {model.psnr_db:.4f} dB, and the card of {card.name} says "
                f"{card.quality.psnr_db:.4f} dB; at most {tolerance_db:g} dB may lie between. "
                "Were its files changed?"
            )


def _convert_file(
    graph: Graph, weights: Weights, size: InputSpec | None, granularity: WeightGranularity
) -> bytes:
    from ..quantization.conversion import convert

    tflite = convert(graph, weights, size, granularity)
    require_integer_only(read_tflite(tflite))
    return tflite
