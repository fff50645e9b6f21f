"""What the champion is used for: scores, the endpoint, the weekly list, the ledger."""
