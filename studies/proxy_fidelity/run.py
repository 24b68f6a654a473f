"""Trains networks briefly and in full, to predict full trainings from short ones and the graph.

    python -m studies.proxy_fidelity.run --train DIR --valid DIR [--part K/N] [--only NAME]...

Trains every architecture at each length, and quantizes it afterwards; full trainings continue with
INT8 rounding where quantizing costs more than 0.05 dB. Takes some hours on 2 cores. Each finished
training is a row of the package's ``nas/quality_model/trainings.csv``; full trainings of random
networks are rows of ``unseen.csv`` beside this file. The same command continues. ``--part 1/2`` and
``--part 2/2`` share the work between two processes, one core each. ``python -m
studies.proxy_fidelity.adopt`` adds networks that ``nas train`` has trained in full; ``python -m
studies.proxy_fidelity.analysis`` writes ``README.md`` from the rows.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from latency_models import Worker
from latency_models.device import load_device, open_source
from nas.choices import Quantization
from nas.data.images import Data, load_images
from nas.evaluation.evaluator import CandidateEvaluator
from nas.quality.baselines import bicubic
from nas.quality.image_quality import evaluate
from nas.quality_model.expectation import branching_of, convolutions_of
from nas.quality_model.training_table import CONDITIONS_FILE, Conditions, Training, read_conditions
from nas.system.cores import Cores, has_bfloat16
from nas.system.files import json_text, write_json, write_whole
from nas.system.versions import installed_versions
from nas.training.recipe import Recipe
from search_spaces import Candidate, CandidateError, InputSpec, infer, zoo
from search_spaces.spaces.enumeration import RandomTrial
from search_spaces.spaces.loading import load_space

from ..ledger import Part, described, training_arguments
from .rows import LENGTHS, LONG, LONGER, TRAININGS, UNSEEN

ARCHITECTURES = Path(__file__).parent / "architectures.json"
SCALE = 3
SEED = 20210507
#: Number of networks drawn from ``mobile`` within the range MACS, and as many outside of it.
DRAWN = 24
_DRAWN_KINDS = ("within", "other")
MACS = (1.0e9, 4.0e9)
#: Multiply-accumulates of the others at most: ABPN's are 9.8e9.
MOST_MACS = 15e9
#: Number of architectures that are also trained for LONGER.
LONGER_ARCHITECTURES = 8
#: Architectures are trained in groups of this size, each at all lengths.
_GROUP = 16
_INPUT = InputSpec(360, 640)
#: Size of a validation crop, so that no crop is padded.
_TILE = InputSpec(160, 240)


def architectures() -> dict[str, Candidate]:
    """Returns all architectures by name: kept ones, new draws of ``mobile``, and the zoo."""
    kept = kept_architectures()
    rng, seen = random.Random(SEED), {candidate.hash for candidate in kept.values()}
    space = load_space("mobile")
    drawn = {kind: [name for name in kept if name.startswith(kind)] for kind in _DRAWN_KINDS}
    while any(len(names) < DRAWN for names in drawn.values()):
        candidate = space.draw(RandomTrial(rng), SCALE)
        macs = infer(candidate.deployed, _INPUT).macs
        kind = "within" if MACS[0] <= macs <= MACS[1] else "other"
        if candidate.hash in seen or len(drawn[kind]) == DRAWN or macs > MOST_MACS:
            continue
        seen.add(candidate.hash)
        drawn[kind].append(f"{kind}-{len(drawn[kind]):02d}")
        kept[drawn[kind][-1]] = candidate
    keep_architectures(kept)
    published = {network.name: network.build(SCALE) for network in zoo.ZOO}
    return kept | {
        name: candidate
        for name, candidate in published.items()
        if infer(candidate.deployed, _INPUT).macs <= MOST_MACS
    }


def kept_architectures() -> dict[str, Candidate]:
    """Reads the architectures, except those of the zoo, by name."""
    if not ARCHITECTURES.exists():
        return {}
    kept = json.loads(ARCHITECTURES.read_text())
    return {name: Candidate.from_json(data) for name, data in kept.items()}


def keep_architectures(architectures: dict[str, Candidate]) -> None:
    """Writes the architectures, except those of the zoo, one per line."""
    text = [f"{json_text(name)}: {json_text(c.to_json())}" for name, c in architectures.items()]
    write_whole(ARCHITECTURES, ("{\n" + ",\n".join(text) + "\n}\n").encode())


def training_order(names: Sequence[str]) -> Iterator[tuple[str, int]]:
    """Yields name and steps of all trainings, the most useful ones for the table first."""
    within, others = ([n for n in names if n.startswith(kind)] for kind in _DRAWN_KINDS)
    # Both kinds alternate, so that any first part of the rows represents all.
    mixed = [name for pair in zip(within, others, strict=True) for name in pair]
    rest = [name for name in names if name not in mixed]
    # Groups complete all lengths of some networks early.
    groups = [mixed[begin : begin + _GROUP] for begin in range(0, len(mixed), _GROUP)]
    for group in (*groups, rest):
        yield from ((name, steps) for name in group for steps in LENGTHS[1:-1])
        yield from ((name, LONG) for name in group if not _is_below_bicubic(name))
    yield from ((name, steps) for name in (*mixed, *rest) for steps in LENGTHS)
    yield from ((name, LONG) for name in (*mixed, *rest))
    yield from ((name, LONGER) for name in mixed[:LONGER_ARCHITECTURES])


def _is_below_bicubic(name: str) -> bool:
    """Returns whether a network was never better than bicubic; such a network comes last."""
    found = [row.psnr_db or 0.0 for row in TRAININGS.read() if row.name == name]
    return max(found, default=0.0) < read_conditions().bicubic_psnr_db


def training_of(name: str, candidate: Candidate, steps: int) -> Training:
    """Returns a row that lacks the results of the training."""
    figures = infer(candidate.deployed, _INPUT)
    return Training(
        name,
        candidate.graph.hash,
        steps,
        figures.macs,
        figures.parameters,
        convolutions_of(candidate.graph),
        round(branching_of(candidate.graph), 4),
    )


def train(name: str, candidate: Candidate, steps: int, evaluator: CandidateEvaluator) -> Training:
    """Runs one training; a failure also gives a row."""
    # A full training is as that of `nas train`, with INT8 training where it is needed.
    quantization = Quantization.AUTO if steps >= LONG else Quantization.PTQ
    recipe = Recipe(steps, quantization=quantization, bfloat16=has_bfloat16())
    row = training_of(name, candidate, steps)
    try:
        evaluated = replace(evaluator, recipe=recipe).evaluate(
            candidate, SEED, lambda progress: None
        )
    except CandidateError as error:
        return replace(row, error=str(error))
    return replace(
        row,
        psnr_db=evaluated.quality.psnr_db,
        psnr_float_db=evaluated.float_quality.psnr_db,
        seconds=evaluated.stages.total,
    )


def main() -> None:
    """Runs the missing trainings, and writes each row when it is done."""
    parser = training_arguments(__doc__)
    parser.add_argument("--only", action="append", help="an architecture; may be repeated [all]")
    options = parser.parse_args()
    part: Part = options.part
    part.apply()
    data = Data(
        "given folders", load_images(options.train, SCALE), load_images(options.valid, SCALE)
    )
    require_conditions(data)
    networks = architectures()
    device = load_device("ethos-u85-1024")
    with Worker() as worker:
        evaluator = CandidateEvaluator(
            source=open_source(device, worker), worker=worker, data=data, recipe=Recipe(LONG),
            input=_TILE, granularity=device.weights, threads=Cores.available().count,
        )  # fmt: skip
        own_names = set(part.share(options.only or list(networks)))
        for name, steps in training_order(list(networks)):
            done = {(row.name, row.steps) for row in (*TRAININGS.read(), *UNSEEN.read())}
            if name not in own_names or (name, steps) in done:
                continue
            row = train(name, networks[name], steps, evaluator)
            evaluator.renew()  # functions compiled for one network are useless for the next
            is_unseen = steps >= LONG and name.startswith(_DRAWN_KINDS)
            (UNSEEN if is_unseen else TRAININGS).keep(row)
            print(row, flush=True)


def require_conditions(data: Data) -> None:
    """Writes the conditions of all trainings; raises SystemExit if the images have changed."""
    now = Conditions(
        train=described(data.training),
        valid=described(data.validation),
        bicubic_psnr_db=evaluate(bicubic(SCALE), data.validation).psnr_db,
        versions=installed_versions(),
    )
    if not CONDITIONS_FILE.exists():
        write_json(CONDITIONS_FILE, vars(now))
    kept = read_conditions()
    if (kept.train, kept.valid) != (now.train, now.valid):
        raise SystemExit(
            f"{CONDITIONS_FILE} describes other images; delete it and the trainings beside it"
        )


if __name__ == "__main__":
    main()
