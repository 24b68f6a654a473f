"""How well a short training ranks architectures: its INT8 PSNR against that of a long one.

    python studies/proxy_fidelity/run.py --train DIR --valid DIR

Trains every architecture at each length, some hours on 2 cores; what is done is kept in
``results.json`` beside this file, and the same command goes on from there. ``README.md`` is written
anew each time.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from analysis import report

from latency_models import Worker
from latency_models.device import load_device, open_source
from nas.cores import Cores, has_bfloat16
from nas.files import write_json
from nas.images.data import Data, load_images
from nas.laboratory import Laboratory
from nas.networks.recipe import Recipe
from nas.studies.settings import installed_versions
from search_spaces import Candidate, CandidateError, InputSpec, infer
from search_spaces.space import load_space
from search_spaces.walks import Walk

HERE = Path(__file__).parent
SCALE = 3
SEED = 20210507
ARCHITECTURES = 24
#: Multiply-accumulates at 360x640, within a factor of 4 of each other.
MACS = (1.0e9, 4.0e9)
SHORT = (250, 500, 1000)
LONG = 10_000
_AT = InputSpec(360, 640)
#: One validation crop, so that none is padded.
_TILE = InputSpec(160, 240)


@dataclass(frozen=True)
class Options:
    """Where the images are."""

    train: Path
    valid: Path


def drawn() -> Iterator[Candidate]:
    """The first different networks of ``mobile`` within the range of MACs."""
    space, rng, seen = load_space("mobile"), random.Random(SEED), set[str]()
    while len(seen) < ARCHITECTURES:
        candidate = space.draw(Walk(rng), SCALE)
        macs = infer(candidate.deployed, _AT).macs
        if MACS[0] <= macs <= MACS[1] and candidate.hash not in seen:
            seen.add(candidate.hash)
            yield candidate


def train(candidate: Candidate, steps: int, laboratory: Laboratory) -> dict[str, Any]:
    """One architecture's row at one length; a failure is a row too."""
    figures = infer(candidate.deployed, _AT)
    row: dict[str, Any] = {
        "candidate": candidate.hash, "steps": steps, "macs": figures.macs,
        "parameters": figures.parameters,
    }  # fmt: skip
    recipe = Recipe(steps, bfloat16=has_bfloat16())
    try:
        developed = replace(laboratory, recipe=recipe).develop(
            candidate, SEED, lambda progress: None
        )
    except CandidateError as error:
        return {**row, "error": str(error)}
    return {
        **row,
        "psnr_db": developed.quality.psnr_db,
        "psnr_float_db": developed.float_quality.psnr_db,
        "seconds": developed.stages.training,
    }


def main() -> None:
    """Trains what is missing, shortest first, writing down each as it is done."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--train", type=Path, required=True)
    parser.add_argument("--valid", type=Path, required=True)
    options = Options(**vars(parser.parse_args()))
    data = Data(
        "given folders", load_images(options.train, SCALE), load_images(options.valid, SCALE)
    )
    images = {
        name: {"fingerprint": s.fingerprint, "files": len(s.pairs), "pixels": s.pixels}
        for name, s in (("train", data.training), ("valid", data.validation))
    }
    path = HERE / "results.json"
    results: dict[str, Any] = {"images": images, "rows": []}
    if path.exists():
        results = json.loads(path.read_text())
    if results["images"] != images:
        raise SystemExit(f"{path} is of other images; delete it to begin anew")
    kept = results.get("architectures")  # as ``mobile`` was when they were drawn
    candidates = [Candidate.from_json(c) for c in kept.values()] if kept else list(drawn())
    device = load_device("ethos-u85-1024")
    with Worker() as worker:
        laboratory = Laboratory(
            source=open_source(device, worker), worker=worker, data=data, recipe=Recipe(LONG),
            input=_TILE, granularity=device.weights, threads=Cores.available().count,
        )  # fmt: skip
        done = {(row["candidate"], row["steps"]) for row in results["rows"]}
        for candidate in candidates:
            for steps in (*SHORT, LONG):
                if (candidate.hash, steps) in done:
                    continue
                results["rows"].append(train(candidate, steps, laboratory))
                results["architectures"] = {c.hash: c.to_json() for c in candidates}
                results["versions"] = installed_versions()
                write_json(path, results)
                print(results["rows"][-1], flush=True)
    (HERE / "README.md").write_text(
        report(
            results["rows"],
            [c.hash for c in candidates],
            SHORT,
            LONG,
            results.get("remark", ""),
        )
    )


if __name__ == "__main__":
    main()
