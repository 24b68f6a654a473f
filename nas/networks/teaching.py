"""All of a candidate's way that needs TensorFlow: training, and how good the network itself is.

It runs where it is called, or apart, in a worker process: a crash in native code is that
candidate's failure then, and ends nothing else.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from latency_models.worker import tell
from search_spaces import CandidateError, Graph, InputSpec, halo, lower

from ..images.data import Data, ImageSet, Pixels
from ..images.quality import Quality, evaluate, psnr_db
from ..images.tiles import upscale_tiled
from .interpretation import Mode
from .lesson import Lesson, Progress, Taught, Weights
from .network import image_function
from .tensorflow_quietly import tf
from .training import Trainer

#: Enough to see that a file is not the network it was made from.
_PARITY_IMAGES = 2
#: Between two words about a training that runs apart.
_TELLING_SECONDS = 0.5


def teach(
    lesson: Lesson,
    data: Data,
    observe: Callable[[Progress], None],
    begin: Callable[[Trainer], None] = lambda trainer: None,
) -> Taught:
    """Trains, and judges the network; CandidateError says what is wrong with it.

    ``observe`` is called after every step; ``begin`` sees the trainer before its first step, to
    resume it from a checkpoint.
    """
    started = time.monotonic()
    trainer = Trainer(
        lesson.candidate, data.training, lesson.recipe, lesson.granularity, lesson.seed, observe
    )
    begin(trainer)
    trained = trainer.run()
    trained_at = time.monotonic()
    graph, validation = lesson.candidate.deployed, data.validation
    float_quality = quality_of_network(
        graph, trained.float32, Mode(quantise=False), lesson.tile, validation
    )
    rounded = network_upscaler(
        graph, trained.int8, Mode(quantise=True, granularity=lesson.granularity), lesson.tile
    )
    return Taught(
        trained,
        float_quality,
        tuple(
            psnr_db(rounded(pair.lr), pair.hr, validation.scale)
            for pair in validation.pairs[:_PARITY_IMAGES]
        ),
        training_seconds=trained_at - started,
        judging_seconds=time.monotonic() - trained_at,
    )


def teach_apart(lesson: Lesson, data: Data) -> Taught:
    """``teach`` in a worker process, which tells its Progress now and then."""
    told = 0.0

    def observe(progress: Progress) -> None:
        nonlocal told
        now = time.monotonic()
        if progress.step == progress.steps or now - told > _TELLING_SECONDS:
            told = now
            tell(progress)

    try:
        return teach(lesson, data, observe)
    except tf.errors.OpError as error:  # no other process could read it
        raise CandidateError(f"training: {error.message}") from None


def network_upscaler(
    graph: Graph, weights: Weights, mode: Mode, tile: InputSpec
) -> Callable[[Pixels], Pixels]:
    """The network as a function of an image of any size, by the same tiles as its file."""
    run = image_function(graph, weights, mode)
    reach = halo(lower(graph, tile))
    return lambda lr: upscale_tiled(
        lr, _tile_for(lr, tile, reach, graph.multiple), reach, graph.scale, graph.multiple, run
    )


def _tile_for(lr: Pixels, tile: InputSpec, reach: int | None, multiple: int) -> InputSpec:
    """The file's tile less the padding that no pixel of a small image can see."""
    if reach is None:
        return tile
    height, width = (-(-(side + reach) // multiple) * multiple for side in lr.shape[:2])
    return InputSpec(min(tile.height, height), min(tile.width, width))


def quality_of_network(
    graph: Graph, weights: Weights, mode: Mode, tile: InputSpec, images: ImageSet
) -> Quality:
    """Quality of the network itself, by the same tiles as its file."""
    return evaluate(network_upscaler(graph, weights, mode, tile), images)
