"""What stands in the table: the zoo, ABPN folded, and networks that a search found."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from nas.latency.model_reference import find_network
from search_spaces import Candidate, zoo
from search_spaces.transforms.candidate import Deployment
from search_spaces.transforms.folding import ResidualFold
from search_spaces.zoo import ZooNetwork

SCALE = 3
#: Networks that searches found.
FOUND = sorted((Path(__file__).parents[1] / "mobile_search").glob("found-*.json"))


def _found(path: Path, scale: int) -> Candidate:
    assert scale == SCALE, "what was found is of one scale"
    return find_network(str(path), scale).candidate


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
    *(ZooNetwork(path.stem, "studies/mobile_search", "", partial(_found, path)) for path in FOUND),
)
SYSTEMS = {network.name: network for network in NETWORKS}
