"""The weekly list and the ledger of scores."""
