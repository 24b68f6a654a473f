"""Anybody's TFLite file: read, checked, its open sizes fixed, cut into tiles."""
