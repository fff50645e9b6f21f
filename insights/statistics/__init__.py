"""Intervals, resampling, shrinkage, small groups and corrections for many comparisons."""
