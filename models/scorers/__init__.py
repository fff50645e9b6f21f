"""What ranks users: trees, logistic regression and BG/NBD, their weighted sum, and the calibration of it."""
