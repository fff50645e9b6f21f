"""Every language that people are addressed in: one catalogue for each language and subject, and which language is spoken just now."""
