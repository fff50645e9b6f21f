"""The profiles that the service looks up."""
