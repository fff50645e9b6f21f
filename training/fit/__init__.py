"""Labelled rows to a scorer with its calibration."""
