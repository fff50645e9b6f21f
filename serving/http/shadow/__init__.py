"""A challenger that scores what the champion has computed, after the answer."""
