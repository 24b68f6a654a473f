"""What stands in the table: the zoo, ABPN folded, and networks that a search found."""

from __future__ import annotations

from pathlib import Path

from nas.named_network import find_network
from search_spaces import Candidate, zoo
from search_spaces.candidate import Deployment
from search_spaces.folding import ResidualFold
from search_spaces.zoo import ZooNetwork

SCALE = 3
#: The best network of a search.
FOUND = Path(__file__).parents[1] / "mobile_search" / "found.json"


def _found(scale: int) -> Candidate:
    assert scale == SCALE, "what was found is of one scale"
    return find_network(str(FOUND), scale).candidate


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
    ZooNetwork(FOUND.stem, "studies/mobile_search", "", _found),
)
SYSTEMS = {network.name: network for network in NETWORKS}
