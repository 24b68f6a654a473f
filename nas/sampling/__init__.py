"""Samplers, which choose the network that a search tries next."""
