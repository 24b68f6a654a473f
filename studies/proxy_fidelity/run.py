"""How well a short training tells the INT8 PSNR of a long one, alone and together with the graph.

    python -m studies.proxy_fidelity.run --train DIR --valid DIR [--part K/N] [--only NAME]...

Trains every architecture at each length, quantized afterwards; full trainings go on with INT8
rounding where that costs more than 0.05 dB. Some hours on 2 cores. Each training is a row of the
package's ``nas/quality_model/trainings.csv`` as soon as it is done, or, a full one of a random
network, of ``unseen.csv`` beside this file; the same command goes on from there. ``--part 1/2`` and
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
#: Drawn from ``mobile``: so many within a factor of 4 in multiply-accumulates, and as many others.
DRAWN = 24
_DRAWN_KINDS = ("within", "other")
MACS = (1.0e9, 4.0e9)
#: Multiply-accumulates of the others at most: ABPN's are 9.8e9.
MOST_MACS = 15e9
#: Architectures that are trained for LONGER, too.
FEW = 8
#: So many are trained at all lengths before the next begin.
_GROUP = 16
_AT = InputSpec(360, 640)
#: One validation crop, so that none is padded.
_TILE = InputSpec(160, 240)


def architectures() -> dict[str, Candidate]:
    """By name: kept ones as they were, new ones as ``mobile`` is now, and the zoo."""
    kept = kept_architectures()
    rng, seen = random.Random(SEED), {candidate.hash for candidate in kept.values()}
    space = load_space("mobile")
    drawn = {kind: [name for name in kept if name.startswith(kind)] for kind in _DRAWN_KINDS}
    while any(len(names) < DRAWN for names in drawn.values()):
        candidate = space.draw(RandomTrial(rng), SCALE)
        macs = infer(candidate.deployed, _AT).macs
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
        if infer(candidate.deployed, _AT).macs <= MOST_MACS
    }


def kept_architectures() -> dict[str, Candidate]:
    """All but the zoo's, by name."""
    if not ARCHITECTURES.exists():
        return {}
    kept = json.loads(ARCHITECTURES.read_text())
    return {name: Candidate.from_json(data) for name, data in kept.items()}


def keep_architectures(architectures: dict[str, Candidate]) -> None:
    """All but the zoo's, one a line."""
    text = [f"{json_text(name)}: {json_text(c.to_json())}" for name, c in architectures.items()]
    write_whole(ARCHITECTURES, ("{\n" + ",\n".join(text) + "\n}\n").encode())


def to_do(names: Sequence[str]) -> Iterator[tuple[str, int]]:
    """Trainings in the order in which they are of use: every new one makes the tables better."""
    within, others = ([n for n in names if n.startswith(kind)] for kind in _DRAWN_KINDS)
    # Half of each kind in turn, so that a part of the rows is a fair part of all.
    mixed = [name for pair in zip(within, others, strict=True) for name in pair]
    rest = [name for name in names if name not in mixed]
    # Some at a time, so that there are whole rows early.
    groups = [mixed[begin : begin + _GROUP] for begin in range(0, len(mixed), _GROUP)]
    for group in (*groups, rest):
        yield from ((name, steps) for name in group for steps in LENGTHS[1:-1])
        yield from ((name, LONG) for name in group if not _is_below_bicubic(name))
    yield from ((name, steps) for name in (*mixed, *rest) for steps in LENGTHS)
    yield from ((name, LONG) for name in (*mixed, *rest))
    yield from ((name, LONGER) for name in mixed[:FEW])


def _is_below_bicubic(name: str) -> bool:
    """Does the image not get through? Such a network tells least, and comes last."""
    found = [row.psnr_db or 0.0 for row in TRAININGS.read() if row.name == name]
    return max(found, default=0.0) < read_conditions().bicubic_psnr_db


def training_of(name: str, candidate: Candidate, steps: int) -> Training:
    """A row without what is not known before the training."""
    figures = infer(candidate.deployed, _AT)
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
    """One training; a failure is one, too."""
    # The truth is what `nas train` hands over: with INT8 training, where that is needed.
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
    """Trains what is missing, writing down each as it is done."""
    parser = training_arguments(__doc__)
    parser.add_argument("--only", action="append", help="may be repeated [all]")
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
        mine = set(part.share(options.only or list(networks)))
        for name, steps in to_do(list(networks)):
            done = {(row.name, row.steps) for row in (*TRAININGS.read(), *UNSEEN.read())}
            if name not in mine or (name, steps) in done:
                continue
            row = train(name, networks[name], steps, evaluator)
            evaluator.renew()  # what was compiled for one network is of no use to another
            judges = steps >= LONG and name.startswith(_DRAWN_KINDS)
            (UNSEEN if judges else TRAININGS).keep(row)
            print(row, flush=True)


def require_conditions(data: Data) -> None:
    """Writes down what all trainings have in common; they cannot go on with other images."""
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
            f"{CONDITIONS_FILE} tells of other images; delete it and the trainings beside it"
        )


if __name__ == "__main__":
    main()
