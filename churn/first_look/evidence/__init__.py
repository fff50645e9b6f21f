"""What a log shows of itself: its rows, how its files are written, the forms of its values, the words of its names."""
