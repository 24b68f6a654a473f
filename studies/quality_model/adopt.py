"""Adds what searches have trained on the same photographs to the collected trainings.

    python -m studies.quality_model.adopt STUDY ...

In the folder of the searches. Their networks were trained and judged as those of ``collect`` are;
``fit`` adds them to the package's table, too. Networks that a sampler made of one another are
marked: what is told of networks that the model has not seen is not told of these.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace

from nas.choices import SamplerKind
from nas.quality_model.networks import ShortlyTrainedNetwork, shipped_networks
from nas.searching.warm_starts import warm_start_of
from nas.studies.study import Study, load_study
from search_spaces import InputError

from .collect import keep, trained


def trainings(study: Study) -> Iterator[ShortlyTrainedNetwork]:
    """All but the references; InputError if the study's networks were trained otherwise."""
    table, settings = shipped_networks(), study.settings
    wanted = (table.steps, f"{table.train['fingerprint']}-{table.valid['fingerprint']}")
    if (settings.steps, settings.data_fingerprint) != wanted:
        raise InputError(f"study {study.name}: of other images, or of another length")
    related = settings.sampler != SamplerKind.RANDOM
    for network in warm_start_of(study).networks:
        if network.choices:  # references have none
            yield replace(network, related=related)


def main() -> None:
    """Keeps what is new."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("studies", nargs="+", metavar="STUDY")
    for name in parser.parse_args().studies:
        known = trained()
        new = [one for one in trainings(load_study(name)) if one.candidate.hash not in known]
        for network in new:
            keep(network)
        print(f"{name}: {len(new)} networks")


if __name__ == "__main__":
    main()
