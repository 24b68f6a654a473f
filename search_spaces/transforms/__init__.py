"""Transforms that preserve what a graph computes: re-parameterization, rewrites, folding."""
