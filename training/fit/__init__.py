"""From labelled rows to a scorer with its calibration."""
