"""A space of small networks, which train in a moment."""

from search_spaces import Graph, GraphBuilder
from search_spaces.spaces.asking import Trial


def sample(trial: Trial, scale: int = 3) -> Graph:
    """One to three convolutions and the pixels."""
    net = GraphBuilder()
    width, features = trial.suggest_int("width", 8, 24), net.input
    for _ in range(trial.suggest_int("depth", 1, 3)):
        features = net.conv(features, width, relu=True)
    return net.image(net.conv(features, 3 * scale**2), scale)
