"""The report of the product: its page, as PDF and as mail, and the numbers next to it."""
