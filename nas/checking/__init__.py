"""Checks of TFLite files, spaces and this machine."""
