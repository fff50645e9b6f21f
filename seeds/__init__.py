"""A simulated world of app users whose true churn probability is known. Start reading at ``simulate.py``."""
