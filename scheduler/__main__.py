"""`python -m sublife.scheduler`: the command line."""

from sublife.scheduler.cli import main

if __name__ == "__main__":
    main()
