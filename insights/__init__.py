"""What the log says about the product: one file per question, over the kept activity."""
