"""A file that keeps numbers in variables of its own, and hands them out by functions."""

from __future__ import annotations

kept: list[float] = []
shown: list[float] = []
rate = 0.5
latest = 1.0
_by_name: dict[str, float] = {}


def put(number):
    kept.append(number)


def take():
    return kept[-1]


def note(number):
    global latest
    latest = number * 2


def current():
    return latest


def name(word, number):
    _by_name[word] = number


def show(number):
    shown.append(number)
    print(shown[-1])


def doubled(number):
    return number * 2


def __getattr__(word):
    try:
        return _by_name[word]
    except KeyError:
        raise AttributeError(word) from None
