"""The command line: one module a command, each loaded when it is called.

Data goes to stdout, talk to stderr. Exit codes: 0 good, 1 found something, 2 usage or bad input, 130 interrupted.
"""

from graphvis.cli.program import main

__all__ = ["main"]
