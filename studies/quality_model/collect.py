"""Trains random networks as a search does, for the table that comes with the package.

    python -m studies.quality_model.collect --train DIR --valid DIR [--part K/N]

First come small networks and networks of ``anchor`` for x3, then networks of ``mobile``: of every
ten, one for x2, one for x4, and eight for x3. Each training that is not in the package's table is
added to ``trainings.jsonl`` beside this file when it is done, and the same command continues.
``python -m studies.quality_model.fit`` adds that file to the table.
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
#: Number of small networks of ``anchor`` and of ``mobile`` each, for x3, and their most
#: multiply-accumulates. Searches tend to small networks, but few random draws are small.
SMALL, SMALL_MACS = 24, 2.5e9
#: Number of networks for x3 of ``anchor``, the space of a first five-minute search.
ANCHORS = 80
#: Number of networks of ``mobile``.
NETWORKS = 620
#: Scales of the networks, by position in each ten, that are not for x3.
_OTHER_SCALES = {4: 2, 9: 4}
#: Most multiply-accumulates of a network; ABPN has 9.8e9. Larger ones train slowly, and win no
#: search.
MOST_MACS = 15e9
_INPUT = InputSpec(360, 640)
#: Size of a validation crop by scale, so that no crop is padded.
_TILES = {2: InputSpec(240, 360), 3: InputSpec(160, 240), 4: InputSpec(120, 180)}
_TRAININGS_PER_WORKER = 5


@dataclass(frozen=True)
class Drawn:
    """A network to be trained."""

    scale: int
    candidate: Candidate
    #: Choices of parameters by which its space draws it.
    choices: Mapping[str, Any]


def networks() -> Iterator[Drawn]:
    """Yields the same networks each time, without those that a search would refuse."""
    for name in ("anchor", "mobile"):
        small = {3: random.Random(f"small {name}/{SEED}")}
        yield from _draws(name, [3] * SMALL, small, SMALL_MACS)
    yield from _draws("anchor", [3] * ANCHORS, {3: random.Random(f"anchor/{SEED}")})
    rngs = {scale: random.Random(SEED + scale) for scale in _TILES}
    yield from _draws("mobile", [_OTHER_SCALES.get(i % 10, 3) for i in range(NETWORKS)], rngs)


def _draws(
    name: str,
    scales: list[int],
    rngs: dict[int, random.Random],
    most_macs: float = MOST_MACS,
) -> Iterator[Drawn]:
    """Yields a network of the space ``name`` for each of ``scales``."""
    space, seen = load_space(name), set[tuple[int, str]]()
    for scale in scales:
        while True:
            trial = RandomTrial(rngs[scale])
            candidate = space.draw(trial, scale)
            if (scale, candidate.hash) in seen or bottleneck(candidate.graph):
                continue
            if infer(candidate.deployed, _INPUT).macs > most_macs:
                continue
            seen.add((scale, candidate.hash))
            break
        if not gaps(candidate.graph):
            yield Drawn(scale, candidate, trial.params)


def trained() -> set[str]:
    """Returns the hashes of networks that were trained or failed."""
    known = {network.candidate.hash for network in shipped_networks().networks}
    return known | {row["hash"] for row in _read_rows()}


def keep(network: ShortlyTrainedNetwork) -> None:
    """Appends a network; other processes may append at the same time."""
    psnr_db, psnr_float_db = round(network.psnr_db, 4), round(network.psnr_float_db, 4)
    rounded = replace(network, psnr_db=psnr_db, psnr_float_db=psnr_float_db)
    _append_row({"hash": network.candidate.hash, "network": rounded.to_json()})


def collected() -> Iterator[ShortlyTrainedNetwork]:
    """Yields the networks of ``trainings.jsonl``."""
    for row in _read_rows():
        if "network" in row:
            yield ShortlyTrainedNetwork.from_json(row["network"])


def _read_rows() -> list[dict[str, Any]]:
    return list(map(json.loads, TRAININGS.read_text().splitlines())) if TRAININGS.exists() else []


def _append_row(row: dict[str, Any]) -> None:
    with appending(TRAININGS) as file:
        file.write(json_text(row) + "\n")


def main() -> None:
    """Trains the networks that are missing."""
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
                _append_row({"hash": candidate.hash, "error": str(error)})
                print(scale, candidate.hash, error, flush=True)
            else:
                psnr_db, float_db = evaluated.quality.psnr_db, evaluated.float_quality.psnr_db
                keep(ShortlyTrainedNetwork(candidate, psnr_db, float_db, drawn.choices))
                print(scale, candidate.hash, psnr_db, flush=True)
            if worker.followed >= _TRAININGS_PER_WORKER:
                evaluator.renew()  # functions compiled for one network are useless for the next


if __name__ == "__main__":
    main()
