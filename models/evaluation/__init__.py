"""How good scores and probabilities are, with intervals, compared with baselines."""
