"""What stands in front of the server: known paths, the route that answers scores, pages, and the patience for slow clients."""
