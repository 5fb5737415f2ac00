"""A file that reads what others keep."""

from __future__ import annotations

from tests.causes.elsewhere import shelf
from tests.causes.elsewhere.store import take


def scaled_by_what_is_kept(values):
    return (values * take()).sum()


def scaled_by_what_is_shared(values):
    number = shelf.shared.lift()
    return (values * number).sum()


def scaled_by_width(options, values):
    width = options.width
    return (values * width).sum()
