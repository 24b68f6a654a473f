"""Predicts the INT8 PSNR of networks after a short training and after a full training."""
