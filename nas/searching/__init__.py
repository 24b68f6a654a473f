"""Runs searches: worker processes, their trials, when to stop, and the progress display."""
