"""Learning: profiles to churn probabilities and reasons. Pure, except that two files save, load and register."""

import os

# Read when LightGBM loads: threads that wait by spinning are several times slower on a machine that does other things too.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
