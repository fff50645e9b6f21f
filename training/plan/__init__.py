"""What a training will do, decided before any profile is built: cutoffs, outages, bots."""
