"""Trained models that come with the package: found by searches and trained for many steps."""
