"""Adds networks that searches trained on the same photographs to the collected trainings.

    python -m studies.quality_model.adopt STUDY ...

Run it in the folder of the searches. Their networks were trained and evaluated like those of
``collect``; ``fit`` adds them to the package's table, too. Networks that a sampler derived from one
another are marked as related; the model's accuracy is not measured on these.
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
    """Yields the networks of a study, without references.

    Raises InputError if they were trained on other images or for another number of steps.
    """
    table, settings = shipped_networks(), study.settings
    wanted = (table.steps, f"{table.train['fingerprint']}-{table.valid['fingerprint']}")
    if (settings.steps, settings.data_fingerprint) != wanted:
        raise InputError(f"study {study.name}: of other images, or of another length")
    related = settings.sampler != SamplerKind.RANDOM
    for network in warm_start_of(study).networks:
        if network.choices:  # references have no choices
            yield replace(network, related=related)


def main() -> None:
    """Adds the networks that are new."""
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
