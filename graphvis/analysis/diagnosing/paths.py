"""The paths with the fewest cuts from the outputs back to every tensor."""

from __future__ import annotations

from collections.abc import Iterable

from graphvis.analysis.diagnosing.flow import Blame, Edge, Ways


class Paths:
    """For each node that the outputs' value is made of, how many cuts lie between, and which.

    Attributes:
        distance: for each node the number of cuts on the paths with the fewest; -1 where its value
            does not reach the outputs.
        certain: whether only the ways that are known were taken.
    """

    def __init__(self, ways: Ways, outputs: list[Edge], certain: bool) -> None:
        """Find them.

        Args:
            ways: the ways that values took.
            outputs: what the outputs' values are made of.
            certain: whether to take only the ways that are known; False for the inferred ones too.
        """
        self.distance = [-1] * len(ways.calls)
        self.certain = certain
        self._made_by = ways.calls
        self._blames: list[Blame] = []
        self._sets = [0] * len(ways.calls)
        self._known: dict[Blame, int] = {}
        for edge in outputs:
            self._relax(edge, 0, 0)
        # Makers come before what is made of them, so this order meets every node after all its users.
        for node in range(len(ways.calls) - 1, -1, -1):
            if self.distance[node] >= 0:
                for edge in ways.edges[node]:
                    self._relax(edge, self.distance[node], self._sets[node])

    def reach(self, nodes: Iterable[int]) -> bool:
        """Whether the value of one of these nodes reaches the outputs."""
        return any(self.distance[node] >= 0 for node in nodes)

    def reached_calls(self) -> Iterable[int]:
        """The calls that made what the outputs' value is made of; -1 for what was there before."""
        return (call for call, distance in zip(self._made_by, self.distance, strict=True) if distance >= 0)

    def cuts(self, nodes: Iterable[int]) -> tuple[int, list[Blame]]:
        """The paths with the fewest cuts from one of these nodes to the outputs: how many, and which.

        The number is -1 where their value does not reach the outputs.
        """
        met = [node for node in nodes if self.distance[node] >= 0]
        if not met:
            return -1, []
        fewest = min(self.distance[node] for node in met)
        members = 0
        for node in met:
            if self.distance[node] == fewest:
                members |= self._sets[node]
        found = []
        while members:
            lowest = members & -members
            found.append(self._blames[lowest.bit_length() - 1])
            members ^= lowest
        return fewest, found

    def _relax(self, edge: Edge, distance: int, members: int) -> None:
        if self.certain and not edge.certain:
            return
        if edge.blame is not None:
            distance += 1
            members |= 1 << self._number(edge.blame)
        known = self.distance[edge.maker]
        if known < 0 or distance < known:
            self.distance[edge.maker] = distance
            self._sets[edge.maker] = members
        elif distance == known:
            self._sets[edge.maker] |= members

    def _number(self, blame: Blame) -> int:
        number = self._known.get(blame)
        if number is None:
            number = self._known[blame] = len(self._blames)
            self._blames.append(blame)
        return number
