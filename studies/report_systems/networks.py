"""What stands in the table: the zoo, ABPN folded, and networks that a search found."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

from search_spaces import Candidate, zoo
from search_spaces.candidate import Deployment
from search_spaces.folding import ResidualFold
from search_spaces.zoo import ZooNetwork

SCALE = 3
#: By its name, the best network of a search in studies/mobile_search.
FOUND = Path(__file__).parents[1] / "mobile_search" / "found.json"


def _found(candidate: object, scale: int) -> Candidate:
    assert scale == SCALE, "what was found is of one scale"
    return Candidate.from_json(candidate)


NETWORKS = (
    *zoo.ZOO,
    ZooNetwork(
        "ABPN-folded",
        "team ECNUSR in the Mobile AI 2022 report, arXiv:2211.03885, folded ABPN so",
        "",
        lambda scale: Candidate(zoo.abpn(scale), Deployment(ResidualFold.LAST)),
    ),
    ZooNetwork(
        "ABPN-folded-sum",
        "the same, the image added by a conv 1x1 of its own",
        "",
        lambda scale: Candidate(zoo.abpn(scale), Deployment(ResidualFold.SUM)),
    ),
    *(
        ZooNetwork(name, "studies/mobile_search", "", partial(_found, candidate))
        for name, candidate in json.loads(FOUND.read_text()).items()
    ),
)
SYSTEMS = {network.name: network for network in NETWORKS}
