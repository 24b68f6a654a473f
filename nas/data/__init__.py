"""Photographs to train and to judge on: found, decoded, cached, shared, cropped."""
