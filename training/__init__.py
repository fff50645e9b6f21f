"""Profiles to a registered challenger, and perhaps the champion."""
