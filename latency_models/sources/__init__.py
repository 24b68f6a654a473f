"""The latency sources; each is a module or a package."""
