"""A class whose objects keep a number, and an object of it that everybody shares."""

from __future__ import annotations


class Shelf:
    def __init__(self):
        self.number = 1.0

    def lay(self, number):
        self.number = number

    def lift(self):
        return self.number

    def scale(self, values):
        return (values * self.number).sum()


class Meter:
    def __init__(self):
        self.total = self.count = self.average = 0.0

    def add(self, number, count=1):
        self.total += number * count
        self.count += count
        self.average = self.total / self.count

    def __str__(self):
        return f"{self.average:.3f}"


shared = Shelf()
