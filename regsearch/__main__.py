"""`python -m regsearch` is the `regsearch` command."""

from regsearch.cli import main

if __name__ == "__main__":
    main()
