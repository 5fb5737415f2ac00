"""What can go wrong through the user's input, each error naming the thing and the way out.

Every error that graphvis raises on purpose derives from :class:`GraphvisError`; the command line
turns it into one message and exit code 2. Each also derives from the builtin that fits, so that
code which knows nothing of graphvis can catch it.
"""

from __future__ import annotations


class GraphvisError(Exception):
    """An error whose cause lies in what graphvis was given.

    Args:
        what: the thing that went wrong, named (a path, a scenario, a field).
        fix: the way out, as a sentence; empty where there is none to offer.
    """

    def __init__(self, what: str, fix: str = "") -> None:
        super().__init__(f"{what}\n{fix}" if fix else what)
        self.what = what
        self.fix = fix


class DocumentError(GraphvisError, ValueError):
    """A JSON document is truncated, of a foreign schema, or inconsistent."""


class ScenarioError(GraphvisError, ValueError):
    """A scenario cannot be found, read, run, or is not true."""


class EngineError(GraphvisError, RuntimeError):
    """The layout engine is missing, broken, too slow, or says nothing."""


class FormatError(GraphvisError, ValueError):
    """A file format that graphvis does not write, or that needs an extra that is not installed."""


class OutputError(GraphvisError, OSError):
    """A file or folder cannot be written."""


class WalkError(GraphvisError, TypeError):
    """The outputs to walk from hold no tensor, or a kind of value that cannot be walked."""


class ScriptError(GraphvisError, ImportError):
    """There is no script, or no module, to run."""


class SelectionError(GraphvisError, LookupError):
    """A name or a pattern that nothing in the graph fits."""
