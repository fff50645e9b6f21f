"""Scorers: trees, logistic regression and BG/NBD, their weighted ensemble, and its calibration."""
