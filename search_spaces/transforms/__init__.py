"""Graphs made equal ones: re-parameterization, rewrites, folding, equalization."""
