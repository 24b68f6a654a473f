"""The functions of ``import nas``: the commands, with typed arguments and results.

A module for each kind of thing that they work on; ``nas`` loads each when it is first used.
"""
