"""Graph transforms that preserve the function: re-parameterization, rewrites, folding."""
