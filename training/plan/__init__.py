"""The plan of a training, made before any profile is built: cutoffs, outages, bots."""
