"""How it is asked for: the only place that prints and exits."""

from regsearch.cli.commands import main

__all__ = ["main"]
