"""Trained weights made an integer-only TFLite file."""
