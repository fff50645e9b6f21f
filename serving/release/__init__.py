"""What one service needs, in one folder."""
