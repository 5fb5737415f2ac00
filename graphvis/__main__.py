"""``python -m graphvis`` is the command line."""

from graphvis.cli import main

if __name__ == "__main__":
    main()
