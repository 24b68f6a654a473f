"""What ``import nas`` offers: the commands' work as functions, with typed values in and out.

A module for each kind of thing that they work on; ``nas`` loads each when it is first used.
"""
