"""Which of a log's own columns plays which role of the contract, by values that its name supports."""
