"""TFLite files of an export; each must be integer-only and as good as its card says."""

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
#: The file that the card speaks of, judged again: rounding of the mean, no more.
_SAME_DB = 1e-6
#: The same file converted again; another version of the converter may round otherwise.
_AGAIN_DB = 1e-3
#: Files of other sizes cut other tiles, and see other borders; more than this is another network.
_ALIKE_DB = 0.1


@dataclass(frozen=True)
class ExportedModel:
    """A TFLite file of the export, its folder within that, and its entry in the card."""

    tflite: bytes = field(repr=False)
    listed: ModelFile
    #: as ``Source.folder``
    folder: str

    @property
    def file(self) -> str:
        return self.listed.file

    @property
    def psnr_db(self) -> float:
        return self.listed.quality.psnr_db


@dataclass(frozen=True)
class ModelMaker:
    """Makes and judges the files of one source, on the images that its card names."""

    source: Source
    worker: Worker
    validation: ImageSet

    def require_own_weights(self) -> None:
        """CandidateError unless the weights are those of the file that the card speaks of.

        Else files of other sizes, and Keras', would be of another network.
        """
        size = self.source.card.input
        tflite = self._convert(size)
        if tflite != self.source.tflite:
            again = self._judged("the file of weights.npz", tflite, size, SIGNED)
            self._require_card(again, _AGAIN_DB)

    def of_size(self, size: InputSpec) -> tuple[ExportedModel, ExportedModel]:
        """The INT8 file for images of ``size``, and the same with uint8 at both ends.

        GraphError if the network does not take that size, InputError if it is too small to cut
        images into tiles; CandidateError if a file is not as good as the card says.
        """
        card = self.source.card
        infer(card.candidate.deployed, size)
        own = size == card.input
        tflite = self.source.tflite if own else self._convert(size)
        signed = self._judged(f"int8_{size}.tflite", tflite, size, SIGNED)
        self._require_card(signed, _SAME_DB if own else _ALIKE_DB)
        unsigned = self._judged(f"uint8_{size}.tflite", with_unsigned_ends(tflite), size, UNSIGNED)
        if unsigned.listed.quality != signed.listed.quality:
            raise CandidateError(
                f"{unsigned.file} gives {unsigned.psnr_db} dB and {signed.file} {signed.psnr_db} "
                "dB; they are one network and must agree. Please report it"
            )
        return signed, unsigned

    def of_any_size(self) -> ExportedModel:
        """The INT8 file for images of any size; NasError says why there is none."""
        tflite = self._convert(None)
        upscaler = AnySizeUpscaler(tflite, self.worker, Cores.available().count)
        quality = evaluate(upscaler.upscale, self.validation)
        listed = ModelFile(ANY_SIZE, None, SIGNED, quality.rgb)
        model = ExportedModel(tflite, listed, self.source.folder)
        self._require_card(model, _ALIKE_DB)
        return model

    def _convert(self, size: InputSpec | None) -> bytes:
        card = self.source.card
        granularity = weight_granularity(read_tflite(self.source.tflite))
        return self.worker.call(
            CONVERSION_TIMEOUT_SECONDS, _convert, card.candidate.deployed, self.source.weights,
            size, granularity,
        )  # fmt: skip

    def _judged(self, file: str, tflite: bytes, size: InputSpec, dtype: str) -> ExportedModel:
        form = require_super_resolution(read_tflite(tflite))
        found = form.levels.dtype
        if (form.input, found, form.scale) != (size, dtype, self.source.card.scale):
            raise NasError(
                f"{file} takes {found} images of {form.input} and enlarges {form.scale} "
                f"times; {self.source.card.name} should have {dtype}, {size} and "
                f"{self.source.card.scale}. Was its file changed?"
            )
        # It refuses what is not integer-only.
        upscaler = TfliteUpscaler(tflite, self.worker, Cores.available().count)
        quality = evaluate(upscaler.upscale, self.validation)
        listed = ModelFile(file, size, dtype, quality.rgb)
        return ExportedModel(tflite, listed, self.source.folder)

    def _require_card(self, model: ExportedModel, tolerance_db: float) -> None:
        card = self.source.card
        if not abs(model.psnr_db - card.quality.psnr_db) <= tolerance_db:
            raise CandidateError(
                f"{model.file} gives {model.psnr_db:.4f} dB, and the card of {card.name} says "
                f"{card.quality.psnr_db:.4f} dB; at most {tolerance_db:g} dB may lie between. "
                "Were its files changed?"
            )


def _convert(
    graph: Graph, weights: Weights, size: InputSpec | None, granularity: WeightGranularity
) -> bytes:
    from ..quantization.conversion import convert

    tflite = convert(graph, weights, size, granularity)
    require_integer_only(read_tflite(tflite))
    return tflite
