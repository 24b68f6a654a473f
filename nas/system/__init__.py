"""Utilities for the operating system: files, locks, signals, cores, printable text."""
