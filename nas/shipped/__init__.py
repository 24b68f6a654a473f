"""Trained models that come with the package: found by searches, trained at length."""
