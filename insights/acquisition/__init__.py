"""Where new users come from: who stays and pays by channel and device, and what to expect of the latest."""
