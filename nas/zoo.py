"""Published networks: ``find`` returns one by its name, ``ZOO`` has all of them."""

from search_spaces.zoo import ZOO, ZooNetwork, find

__all__ = ["ZOO", "ZooNetwork", "find"]
