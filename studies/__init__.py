"""Experiments, one per folder, with script and result; run from the root, not installed."""
