"""The networks of the table: the zoo, and two foldings of ABPN's residual."""

from __future__ import annotations

from search_spaces import Candidate, zoo
from search_spaces.transforms.candidate import Deployment
from search_spaces.transforms.folding import ResidualFold
from search_spaces.zoo import ZooNetwork

SCALE = 3
NETWORKS = (
    *zoo.ZOO,
    ZooNetwork(
        "ABPN-folded",
        "ABPN folded as by team ECNUSR, Mobile AI 2022 report, arXiv:2211.03885",
        "",
        lambda scale: Candidate(zoo.abpn(scale), Deployment(ResidualFold.LAST)),
    ),
    ZooNetwork(
        "ABPN-folded-sum",
        "like ABPN-folded, but a separate conv 1x1 adds the image",
        "",
        lambda scale: Candidate(zoo.abpn(scale), Deployment(ResidualFold.SUM)),
    ),
)
SYSTEMS = {network.name: network for network in NETWORKS}
