"""What contacts did: those that other tools recorded, users who were left alone, rows of a training whose label they changed."""
