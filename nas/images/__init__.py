"""Photographs: read, cut into tiles, and how close an enlargement comes to them."""
