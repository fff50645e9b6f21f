"""What the service answers from, and how it gets there."""
