"""Published networks: those of the Mobile AI 2021 report, and others for the same task.

"Report" is Ignatov et al., "Real-Time Quantized Image Super-Resolution on Mobile NPUs, Mobile AI
2021 Challenge: Report", CVPR Workshops 2021, arXiv:2105.07825. If a source does not specify a
detail, ``inferred`` states the choice made here and the reason.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from .errors import InputError
from .graph.builder import GraphBuilder, Nonlinearity
from .graph.convolutions import Branches
from .graph.graph import Graph
from .naming import unknown
from .spaces.blocks import BlockKind, Head, Residual, Style, block, image_of, parallel_stem, shrink
from .transforms.candidate import Candidate, Deployment
from .transforms.folding import ResidualFold


@dataclass(frozen=True)
class ZooNetwork:
    """A published network as a function of the scale, with its source and published figures."""

    name: str
    source: str
    #: published figures of the x3 network, or "" if there are none
    published: str
    build: Callable[[int], Candidate]
    #: details that the source does not specify, and the choices made here
    inferred: str = ""


def abpn(scale: int) -> Graph:
    """Seven 3x3 convs; the repeated input, called anchor, is added before depth_to_space."""
    return _plain(scale, width=28, middle=4, double=True, residual=Residual.ANCHOR)


def ncnet(scale: int) -> Graph:
    """ABPN with 32 channels; a fixed convolution computes its anchor."""
    return _plain(scale, width=32, middle=4, double=True, residual=Residual.NEAREST_CONV)


def xlsr(scale: int) -> Graph:
    """Extremely light-weight SR: four parallel stems, three grouped blocks, a concatenated skip."""
    net, style = GraphBuilder(), Style()
    stem = parallel_stem(net, style, net.input, 32, count=4)
    features = net.conv(stem, 32, kernel=1)
    for _ in range(3):
        features = block(net, style, BlockKind.GROUPED, features, 32)
    skip = net.conv(net.input, 16)
    features = net.conv(net.concat(features, skip), 32, kernel=1, relu=True)
    return image_of(net, style, features, scale)


def tinysrnet(scale: int) -> Graph:
    """Three residual blocks after space_to_depth by 2; one conv of the image is the residual."""
    net, style = GraphBuilder(), Style()
    features = net.conv(shrink(net, net.input, 2), 32, relu=True)
    for _ in range(3):
        features = block(net, style, BlockKind.RESIDUAL, features, 32)
    return image_of(net, style, features, scale, stride=2, residual=Residual.CONV)


def fastsr(scale: int) -> Graph:
    """TinySRNet without space_to_depth; adds the nearest-neighbor enlargement of the image."""
    net, style = GraphBuilder(), Style()
    features = net.conv(net.input, 16, relu=True)
    for _ in range(3):
        features = block(net, style, BlockKind.RESIDUAL, features, 16)
    return image_of(net, style, features, scale, residual=Residual.NEAREST)


def prpsr(scale: int) -> Graph:
    """Re-parameterized convs: x + conv1x1(x) + conv3x3(x) in training, one conv on the device."""
    net, style = GraphBuilder(), Style(branches=Branches.POINTWISE)
    features = style.conv(net, net.input, 36, kernel=5)
    for _ in range(5):
        features = style.conv(net, features, 36)
    return image_of(net, style, features, scale)


def edsr_with_attention(scale: int) -> Graph:
    """Six residual blocks with spatial attention; a conv 1x1 reads all their results."""
    net, style = GraphBuilder(), Style()
    stem = features = net.conv(net.input, 64, relu=True)
    results = []
    for _ in range(6):
        features = block(net, style, BlockKind.ATTENTION, features, 64)
        results.append(features)
    features = net.add(stem, net.conv(net.concat(*results), 64, kernel=1))
    for _ in range(2):
        features = net.conv(features, 64, relu=True)
    return image_of(net, style, features, scale)


def espcn(scale: int) -> Graph:
    """Three convs with tanh; the first network with depth_to_space."""
    net, style = GraphBuilder(), Style(Nonlinearity.TANH)
    features = style.conv(net, style.conv(net, net.input, 64, kernel=5), 32)
    return image_of(net, style, features, scale)


def fsrcnn(scale: int) -> Graph:
    """FSRCNN(56, 12, 4): shrinking, mapping and expanding convs, and a transposed conv 9x9."""
    net, style = GraphBuilder(), Style(Nonlinearity.PRELU)
    features = style.conv(net, net.input, 56, kernel=5)
    features = style.conv(net, features, 12, kernel=1)
    for _ in range(4):
        features = style.conv(net, features, 12)
    features = style.conv(net, features, 56, kernel=1)
    return image_of(net, style, features, scale, head=Head.TRANSPOSED)


def ecbsr(scale: int, middle: int, width: int) -> Graph:
    """Convs with PReLU, trained as edge-oriented blocks with several branches; adds an anchor."""
    style = Style(Nonlinearity.PRELU, Branches.EXPANDED)
    return _plain(scale, width=width, middle=middle, style=style, residual=Residual.ANCHOR)


def etds(scale: int, middle: int, width: int) -> Candidate:
    """Plain convs trained with an anchor, deployed as convs of ``width`` channels alone."""
    graph = _plain(scale, width=width - 3, middle=middle, residual=Residual.ANCHOR)
    return Candidate(graph, Deployment(ResidualFold.LAST, fold_clip=True, channel_step=4))


def quicksrnet(scale: int, middle: int) -> Graph:
    """Plain convs of 32 channels, each followed by a clip."""
    return _plain(scale, width=32, middle=middle, style=Style(Nonlinearity.CLIP))


def scsrn(scale: int) -> Graph:
    """Re-parameterized convs; the image is concatenated with the features, not added."""
    net, style = GraphBuilder(), Style(branches=Branches.EXPANDED)
    features = style.conv(net, net.input, 32)
    for _ in range(4):
        features = style.conv(net, features, 32)
    features = style.conv(net, net.concat(features, net.input), 3 * scale**2)
    return image_of(net, style, features, scale)


def antsr(scale: int) -> Graph:
    """A shallow plain network of re-parameterized convs."""
    return _plain(scale, width=28, middle=3, style=Style(branches=Branches.EXPANDED))


def _plain(
    scale: int,
    *,
    width: int,
    middle: int,
    style: Style = Style(),  # noqa: B008 - immutable
    double: bool = False,
    residual: Residual = Residual.NONE,
) -> Graph:
    """Builds 1 + ``middle`` convs 3x3 of ``width`` channels, and one that computes the pixels.

    ``double`` inserts another conv, with as many channels as the pixels, before the last one.
    """
    net = GraphBuilder()
    features = net.input
    for _ in range(1 + middle):
        features = style.conv(net, features, width)
    if double:
        features = style.conv(net, features, 3 * scale**2)
    return image_of(net, style, features, scale, residual=residual)


def _network(
    name: str, build: Callable[[int], Graph], source: str, published: str = "", inferred: str = ""
) -> ZooNetwork:
    """Returns a network that is deployed as trained, except that its branches are merged."""
    return ZooNetwork(name, source, published, lambda scale: Candidate(build(scale)), inferred)


def _etds(letter: str, middle: int, width: int, kiloparameters: str) -> ZooNetwork:
    source = (
        "Chao et al., Equivalent Transformation and Dual Stream Network Construction, CVPR 2023"
    )
    published = f"{kiloparameters} K parameters (M{middle}C{width})"
    return ZooNetwork(
        f"ETDS-{letter}", source, published, partial(etds, middle=middle, width=width),
        inferred="its second stream is an anchor in training here, folded with the clip",
    )  # fmt: skip


def _ecbsr(width: int, kiloparameters: str) -> ZooNetwork:
    return _network(
        f"ECBSR-M4C{width}", partial(ecbsr, middle=4, width=width),
        "Zhang et al., Edge-oriented Convolution Block for Real-time Super Resolution, ACM MM 2021",
        f"{kiloparameters} K parameters",
        inferred="its Sobel and Laplace branches are left out",
    )  # fmt: skip


def _quicksrnet(letter: str, middle: int) -> ZooNetwork:
    return _network(
        f"QuickSRNet-{letter}", partial(quicksrnet, middle=middle),
        "Berger et al., QuickSRNet: Plain Single-Image Super-Resolution Architecture for Faster "
        "Inference on Mobile Platforms, arXiv:2303.04336",
    )  # fmt: skip


#: Start of ``inferred`` for networks whose width is not published.
_NO_PUBLISHED_WIDTH = "no width was published; "
ZOO: tuple[ZooNetwork, ...] = (
    _network(
        "ABPN", abpn,
        "Du et al., Anchor-based Plain Net for Mobile Image Super-Resolution, arXiv:2105.09750",
        "42.5 K parameters; INT8 29.87 dB, 36.89 ms on the VS680 (report, table 1)",
    ),
    _network(
        "XLSR", xlsr,
        "Ayazoglu, Extremely Lightweight Quantization Robust Real-Time Single-Image "
        "Super Resolution for Mobile Devices, arXiv:2105.10288",
        "22 K parameters; INT8 29.58 dB, 44.85 ms on the VS680 (report, table 1)",
    ),
    _network(
        "TinySRNet", tinysrnet, "Noah_TerminalVision in the report, section 4.3",
        "109 KB; INT8 29.41 dB, 38.32 ms on the VS680 (report, table 1)",
        _NO_PUBLISHED_WIDTH + "32 channels give 102 K parameters, which fit the file",
    ),
    _network(
        "FastSR", fastsr, "ALONG in the report, section 4.4",
        "30 KB; INT8 29.52 dB, 62.25 ms on the VS680 (report, table 1)",
        _NO_PUBLISHED_WIDTH + "16 channels give 18 K parameters, which fit the file",
    ),
    _network(
        "PRPSR", prpsr, "EmbeddedAI in the report, section 4.5",
        "82 KB; INT8 28.82 dB, 76.61 ms on the VS680 (report, table 1)",
        _NO_PUBLISHED_WIDTH + "36 channels give 70 K parameters, which fit the file",
    ),
    _network(
        "EDSR-attention", edsr_with_attention, "mju_gogogo in the report, section 4.6",
        "940 KB; INT8 28.92 dB, 718 ms on the VS680 (report, table 1)",
        "the attention unit is not described; conv 64->48, ReLU, conv 48->64, sigmoid fit the file",
    ),
    _network(
        "ESPCN", espcn,
        "Shi et al., Real-Time Single Image and Video Super-Resolution Using an Efficient "
        "Sub-Pixel Convolutional Neural Network, CVPR 2016, arXiv:1609.05158",
        "31.13 K parameters in RGB",
    ),
    _network(
        "FSRCNN", fsrcnn,
        "Dong et al., Accelerating the Super-Resolution Convolutional Neural Network, ECCV 2016, "
        "arXiv:1608.00367",
        "24.68 K parameters in RGB",
    ),
    _ecbsr(16, "13.72"),
    _ecbsr(32, "45.85"),
    _etds("T", 5, 16, "16.92"),
    _etds("S", 4, 32, "46.79"),
    _etds("M", 6, 32, "65.29"),
    _etds("L", 7, 48, "159.77"),
    _network(
        "NCNet", ncnet,
        "Luo et al., Fast Nearest Convolution for Real-Time Efficient Image Super-Resolution, "
        "arXiv:2208.11609",
        "52,279 parameters, the fixed convolution left out",
    ),
    _quicksrnet("S", 2),
    _quicksrnet("M", 5),
    _network(
        "SCSRN-like", scsrn,
        "Gankhuyag et al., Skip-Concatenated Image Super-Resolution Network for Mobile Devices, "
        "IEEE Access 2023 (Z6, winner of Mobile AI 2022)",
        "INT8 30.03 dB, 19.2 ms on the VS680 (Mobile AI 2022 report, arXiv:2211.03885)",
        "widths and depth: 32 channels, five layers before the concat and two behind it",
    ),
    _network(
        "AntSR-like", antsr, "Antins_cv in the Mobile AI 2022 report, arXiv:2211.03885",
        "INT8 29.58 dB, 15.2 ms on the VS680 (Mobile AI 2022 report)",
        "all but its place among the fastest: five plain re-parameterized convs of 28 channels",
    ),
)  # fmt: skip

#: The networks that every study trains for comparison.
REFERENCES = ZOO[:2]


def is_known(name: str) -> bool:
    """Returns whether there is a network of this name; letter case is ignored."""
    return any(network.name.lower() == name.lower() for network in ZOO)


def find(name: str) -> ZooNetwork:
    """Returns the network of this name, ignoring case; raises InputError for unknown names."""
    for network in ZOO:
        if network.name.lower() == name.lower():
            return network
    known = [network.name for network in ZOO]
    raise InputError(f"{unknown('zoo network', name, known)}; known: {', '.join(known)}")
