"""Learning: profiles to churn probabilities and reasons. Pure, except that two files save, load and register."""
