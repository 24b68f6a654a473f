"""Compares the PSNR after numbers of gradient steps by optimizer, rate, schedule and crops.

    python -m studies.training_speed.run --train DIR --valid DIR [--variant NAME]... [--steps N]...
        [--part K/N]

Every variant trains every network from the start for each number of steps, in floating point, with
16 crops of 32x32 LR pixels per step unless the variant changes that. Each finished training is a
row of ``trainings.csv`` beside this file, and the same command continues; ``--part 1/2`` and
``--part 2/2`` share the work between two processes, one core each.
``python -m studies.training_speed.page`` writes ``README.md``.
"""

from __future__ import annotations

import json
from pathlib import Path

from latency_models import WeightGranularity
from nas.data.images import Data, load_images
from nas.system.cores import has_bfloat16
from nas.training.job import TrainingJob
from nas.training.trainer import Trainer
from nas.training.training_run import float_quality
from search_spaces import Candidate, CandidateError, InputSpec, zoo

from ..ledger import Part, training_arguments
from .variants import TRAININGS, VARIANTS, Training, Variant

HERE = Path(__file__).parent
SCALE, SEED = 3, 20210507
STEPS = (125, 500, 2000)
ZOO = (
    "ABPN", "XLSR", "FastSR", "TinySRNet", "FSRCNN", "ECBSR-M4C16", "ETDS-T", "ETDS-S", "NCNet",
    "QuickSRNet-S", "SCSRN-like", "AntSR-like",
)  # fmt: skip
#: Names of networks that were drawn for studies/proxy_fidelity.
DRAWN = tuple(f"{kind}-{index:02d}" for index in range(6) for kind in ("within", "other"))
_TILE = InputSpec(160, 240)


def networks() -> dict[str, Candidate]:
    """Returns networks by name, alternating between the zoo and draws of ``mobile``."""
    kept = json.loads((HERE.parent / "proxy_fidelity" / "architectures.json").read_text())
    found: dict[str, Candidate] = {}
    for published, drawn in zip(ZOO, DRAWN, strict=True):
        found[published] = zoo.find(published).build(SCALE)
        found[drawn] = Candidate.from_json(kept[drawn])
    return found


def train(
    name: str, candidate: Candidate, variant: Variant, steps: int, data: Data, seed: int = SEED
) -> Training:
    """Runs one training; a failure also gives a row."""
    recipe = variant.recipe(steps, bfloat16=has_bfloat16())
    job = TrainingJob(candidate, recipe, WeightGranularity.CHANNEL, seed, _TILE)
    try:
        trainer = Trainer(job, data.training, optimizer=variant.optimizer)
        weights = trainer.run()
    except CandidateError as error:
        return Training(name, variant.name, steps, error=str(error))
    quality = float_quality(job, weights, data.validation)
    return Training(name, variant.name, steps, quality.psnr_db, trainer.seconds.gradient)


def main() -> None:
    """Runs the missing trainings, and writes each row when it is done."""
    parser = training_arguments(__doc__)
    parser.add_argument("--variant", action="append", choices=[v.name for v in VARIANTS])
    parser.add_argument("--steps", type=int, action="append")
    options = parser.parse_args()
    part: Part = options.part
    part.apply()
    data = Data("given", load_images(options.train, SCALE), load_images(options.valid, SCALE))
    everything = networks()
    chosen = [v for v in VARIANTS if v.name in (options.variant or [v.name])]
    for steps in options.steps or STEPS:
        for name in part.share(list(everything)):
            for variant in chosen:
                done = {(row.network, row.variant, row.steps) for row in TRAININGS.read()}
                if (name, variant.name, steps) not in done:
                    row = train(name, everything[name], variant, steps, data)
                    TRAININGS.keep(row)
                    print(row, flush=True)


if __name__ == "__main__":
    main()
