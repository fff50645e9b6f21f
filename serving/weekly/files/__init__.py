"""Finished tables as files that people, spreadsheets and marketing tools open, and their way to where the team's tool reads them."""
