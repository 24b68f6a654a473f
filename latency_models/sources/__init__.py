"""Latency sources, a package or module each."""
