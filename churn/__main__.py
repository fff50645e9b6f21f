"""``python -m churn``: the command."""

from churn import main

if __name__ == "__main__":
    main()
