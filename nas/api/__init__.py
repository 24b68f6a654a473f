"""The functions of ``import nas``: the commands, with typed arguments and results.

There is a module for each kind of object; ``nas`` loads a module when it is first used.
"""
