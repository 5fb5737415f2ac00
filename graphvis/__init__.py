"""Shows where ``detach()``, ``detach_()`` and their kin cut a PyTorch autograd graph.

The public names are loaded when they are first used, so that ``import graphvis`` imports no torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from graphvis.version import __version__ as __version__

if TYPE_CHECKING:
    from graphvis.api import compare, diagnose, record, walk, without_cuts
    from graphvis.errors import GraphvisError
    from graphvis.model import Comparison, Cut, Diagnosis, Graph, Location, Moment, Trace

__all__ = [
    "Comparison", "Cut", "Diagnosis", "Graph", "GraphvisError", "Location", "Moment", "Trace",
    "compare", "diagnose", "record", "walk", "without_cuts",
]  # fmt: skip

_FROM_API = frozenset({"compare", "diagnose", "record", "walk", "without_cuts"})


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'graphvis' has no attribute {name!r}")
    room = "graphvis.api" if name in _FROM_API else "graphvis.errors" if name == "GraphvisError" else "graphvis.model"
    value = getattr(import_module(room), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*__all__, *(name for name in globals() if name.startswith("__"))])
