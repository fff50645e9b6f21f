"""The account of past lists: was the model right, did contacting help, and were the arms kept apart."""
