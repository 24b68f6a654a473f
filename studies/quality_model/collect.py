"""Trains random networks as a search does: the table that comes with the package.

    python -m studies.quality_model.collect --train DIR --valid DIR [--part K/N]

First come small networks and those of ``anchor`` for x3, then those of ``mobile``: one of ten for
x2, one for x4, the others for x3. What is not in the package's table yet is added to
``trainings.jsonl`` beside this file as soon as it is trained, and the same command goes on from
there. ``python -m studies.quality_model.fit`` adds that file to the table.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from latency_models import Worker
from latency_models.device import load_device, open_source
from nas.choices import RecipeName
from nas.data.images import Data, load_images
from nas.evaluation.evaluator import CandidateEvaluator, candidate_seed
from nas.quality_model.networks import ShortlyTrainedNetwork, shipped_networks
from nas.searching.refusals import bottleneck, gaps
from nas.system.cores import Cores, has_bfloat16
from nas.system.files import json_text
from nas.training.recipe import Recipe, recipe_named
from search_spaces import Candidate, CandidateError, InputSpec, infer
from search_spaces.spaces.enumeration import RandomTrial
from search_spaces.spaces.loading import load_space

from ..ledger import Part, appending, training_arguments

TRAININGS = Path(__file__).parent / "trainings.jsonl"
SEED = 20261127
#: Of ``anchor`` and of ``mobile``, for x3: a search goes to where networks are small, and few draws
#: are.
SMALL, SMALL_MACS = 24, 2.5e9
#: Of ``anchor``, the space of a search's first five minutes, for x3.
ANCHORS = 80
#: Of ``mobile``.
NETWORKS = 620
#: Of ten networks in a row, those that are not for x3.
_OTHER_SCALES = {4: 2, 9: 4}
#: Multiply-accumulates at most; ABPN has 9.8e9. Larger ones train slowly, and win no search.
MOST_MACS = 15e9
_AT = InputSpec(360, 640)
#: One validation crop, so that none is padded.
_TILES = {2: InputSpec(240, 360), 3: InputSpec(160, 240), 4: InputSpec(120, 180)}
_TRAININGS_PER_WORKER = 5


@dataclass(frozen=True)
class Drawn:
    """A network to be trained."""

    scale: int
    candidate: Candidate
    #: by which its space draws it
    choices: Mapping[str, Any]


def networks() -> Iterator[Drawn]:
    """The same ones each time, without those that a search would refuse."""
    for name in ("anchor", "mobile"):
        small = {3: random.Random(f"small {name}/{SEED}")}
        yield from _draws(name, [3] * SMALL, small, SMALL_MACS)
    yield from _draws("anchor", [3] * ANCHORS, {3: random.Random(f"anchor/{SEED}")})
    chances = {scale: random.Random(SEED + scale) for scale in _TILES}
    yield from _draws("mobile", [_OTHER_SCALES.get(i % 10, 3) for i in range(NETWORKS)], chances)


def _draws(
    name: str,
    scales: list[int],
    chances: dict[int, random.Random],
    most_macs: float = MOST_MACS,
) -> Iterator[Drawn]:
    """Of the space ``name``, one for each of ``scales``."""
    space, met = load_space(name), set[tuple[int, str]]()
    for scale in scales:
        while True:
            trial = RandomTrial(chances[scale])
            candidate = space.draw(trial, scale)
            if (scale, candidate.hash) in met or bottleneck(candidate.graph):
                continue
            if infer(candidate.deployed, _AT).macs > most_macs:
                continue
            met.add((scale, candidate.hash))
            break
        if not gaps(candidate.graph):
            yield Drawn(scale, candidate, trial.params)


def trained() -> set[str]:
    """Hashes of networks that were trained, or failed."""
    known = {network.candidate.hash for network in shipped_networks().networks}
    return known | {row["hash"] for row in _rows()}


def keep(network: ShortlyTrainedNetwork) -> None:
    """Adds a line, whoever else does at the same time."""
    psnr_db, psnr_float_db = round(network.psnr_db, 4), round(network.psnr_float_db, 4)
    rounded = replace(network, psnr_db=psnr_db, psnr_float_db=psnr_float_db)
    _add({"hash": network.candidate.hash, "network": rounded.to_json()})


def collected() -> Iterator[ShortlyTrainedNetwork]:
    """What was kept."""
    for row in _rows():
        if "network" in row:
            yield ShortlyTrainedNetwork.from_json(row["network"])


def _rows() -> list[dict[str, Any]]:
    return list(map(json.loads, TRAININGS.read_text().splitlines())) if TRAININGS.exists() else []


def _add(row: dict[str, Any]) -> None:
    with appending(TRAININGS) as file:
        file.write(json_text(row) + "\n")


def main() -> None:
    """Trains what is missing."""
    options = training_arguments(__doc__).parse_args()
    part: Part = options.part
    part.apply()
    plain = recipe_named(RecipeName.PROXY)
    recipe = Recipe(plain.steps, bfloat16=has_bfloat16())
    data: dict[int, Data] = {}
    device = load_device("ethos-u85-1024")
    with Worker() as worker:
        known = trained()
        for drawn in part.share(list(networks())):
            scale, candidate = drawn.scale, drawn.candidate
            if candidate.hash in known:
                continue
            if scale not in data:
                sets = (load_images(folder, scale) for folder in (options.train, options.valid))
                data[scale] = Data("given folders", *sets)
            evaluator = CandidateEvaluator(
                source=open_source(device, worker), worker=worker, data=data[scale], recipe=recipe,
                input=_TILES[scale], granularity=device.weights, threads=Cores.available().count,
            )  # fmt: skip
            seed = candidate_seed(0, candidate.hash)
            try:
                evaluated = evaluator.evaluate(candidate, seed, lambda progress: None)
            except CandidateError as error:
                _add({"hash": candidate.hash, "error": str(error)})
                print(scale, candidate.hash, error, flush=True)
            else:
                psnr_db, float_db = evaluated.quality.psnr_db, evaluated.float_quality.psnr_db
                keep(ShortlyTrainedNetwork(candidate, psnr_db, float_db, drawn.choices))
                print(scale, candidate.hash, psnr_db, flush=True)
            if worker.followed >= _TRAININGS_PER_WORKER:
                evaluator.renew()  # what was compiled for one network is of no use to another


if __name__ == "__main__":
    main()
