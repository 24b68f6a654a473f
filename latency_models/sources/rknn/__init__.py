"""Rockchip's NPUs: cycles as rknn-toolkit2 estimates them, made milliseconds by a calibration."""
