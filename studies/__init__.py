"""One folder an experiment: what to run, and its result. Run from the root; not installed."""
