"""The champion at work: scores, the endpoint, the weekly list, the ledger."""
