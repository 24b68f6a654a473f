"""Evaluation of candidates and files, full-length training, model cards."""
