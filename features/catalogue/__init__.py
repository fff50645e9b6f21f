"""What a feature is, and all of them: one literal each, in the file of its family."""
