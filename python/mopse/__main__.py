"""Run ``python -m mopse``."""

from mopse.cli import main

if __name__ == "__main__":
    main()
