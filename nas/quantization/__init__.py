"""Quantization of trained weights, and conversion to an integer-only TFLite file."""
