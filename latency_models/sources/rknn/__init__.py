"""Rockchip's NPUs: converts cycles estimated by rknn-toolkit2 to ms by a calibration."""
