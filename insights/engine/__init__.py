"""The relations that every question reads: users and their active days, from the kept activity."""
