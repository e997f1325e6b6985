"""`python -m autotune` is the command line."""

from autotune.cli.main import main

if __name__ == "__main__":
    main()
