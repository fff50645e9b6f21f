"""Models: profiles to churn probabilities and reasons. Pure, except for saving, loading and the registry."""

import os

# Read when LightGBM loads: spinning threads are several times slower on a machine that is busy with other things too.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
