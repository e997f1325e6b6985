"""`python -m autotune` is the command line."""

from autotune.base.interpreter import share_checkout
from autotune.cli import main

if __name__ == "__main__":
    share_checkout()
    main()
