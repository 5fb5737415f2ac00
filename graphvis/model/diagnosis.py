"""What becomes of each parameter at one ``backward()``, and why."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from types import MappingProxyType
from typing import Literal

import msgspec

from graphvis.errors import DocumentError
from graphvis.model.cut import Cut
from graphvis.model.drawable import Drawable
from graphvis.model.graph import Graph
from graphvis.model.location import Location

Status = Literal["gradient", "zero", "cut", "unused", "frozen", "unreached"]
Effect = Literal["raises", "wrong gradient"]


class Finding(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A verdict as it is saved: its cuts are indices.

    Attributes:
        parameter: its name.
        status: see :class:`Verdict`.
        cuts: indices into :attr:`Diagnosis.cuts`; always present, often empty.
        certain: see :class:`Verdict`.
        at: see :class:`Verdict`.
        node: see :class:`Verdict`.
        numel: see :class:`Verdict`.
        shape: see :class:`Verdict`.
    """

    parameter: str
    status: Status
    cuts: tuple[int, ...]
    certain: bool = True
    at: Location | None = None
    node: str = ""
    shape: tuple[int, ...] = ()
    numel: int = 0


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of one parameter.

    Attributes:
        parameter: its name.
        status: ``gradient``: backward gives it one; ``zero``: one that is exactly zero; ``cut``: its
            value reaches the output and every path is severed; ``unused``: its value does not reach
            the output; ``frozen``: it does, and it requires no grad; ``unreached``: no gradient
            reaches it, and there is no trace to say why, or its value may have gone where nobody saw it.
        cuts: the cuts on the paths with the fewest.
        certain: False where the run had corners that could not be seen and the truth may lie there.
        at: for ``frozen`` the line that froze it, for ``zero`` the line of the operation that made
            the gradient zero; None where that was not seen.
        node: for ``zero`` the name of the node that made it so, e.g. ``RoundBackward0``.
        shape: its sizes.
        numel: how many numbers it holds.
    """

    parameter: str
    status: Status
    cuts: tuple[Cut, ...] = ()
    certain: bool = True
    at: Location | None = None
    node: str = ""
    shape: tuple[int, ...] = ()
    numel: int = 0


class Conflict(msgspec.Struct, frozen=True, kw_only=True):
    """A saved tensor that was overwritten, or freed, before backward needs it.

    Attributes:
        effect: ``raises``: PyTorch's version counter saw the write, backward will refuse;
            ``wrong gradient``: it did not, backward will use what was written.
        certain: for ``raises`` always True; for ``wrong gradient`` True only after a comparison run
            showed that a gradient differs.
        node: name of the node that saved it.
        saved: the saved tensor's name without its prefix, e.g. ``result``.
        saved_at: the line that ran the node's operation; None where that was not seen.
        modified_at: the line that wrote; None where that was not seen.
        expected_version: the tensor's version when it was saved; None where it is not known.
        version: its version now; None where it is not known.
        saved_by: the user's own frame, where `saved_at` lies in a library.
        modified_by: the user's own frame, where `modified_at` lies in a library.
        function: the function that wrote, e.g. ``Tensor.zero_``; one that shares memory, e.g. ``Tensor.numpy``, where
            another library wrote there by itself, and one that runs backward where it has freed what was saved.
        carrier: the name of the tensor by which this backward reaches into a graph that was freed; empty where it has
            none, and for what was overwritten.
        carried_at: the line that took that tensor; None for what was overwritten, and where all was freed.
        carried_by: the user's own frame, where `carried_at` lies in a library.
        index: the node's number in the graph; None where the graph does not show it.
    """

    effect: Effect
    certain: bool = True
    node: str = ""
    saved: str = ""
    saved_at: Location | None = None
    modified_at: Location | None = None
    expected_version: int | None = None
    version: int | None = None
    saved_by: Location | None = None
    modified_by: Location | None = None
    function: str = ""
    carrier: str = ""
    carried_at: Location | None = None
    carried_by: Location | None = None
    index: int | None = None


class Advice(msgspec.Struct, frozen=True, kw_only=True):
    """What the same program gives without a cut, as it was measured.

    Attributes:
        cut: index into :attr:`Diagnosis.cuts`.
        gained: the parameters that then get a gradient and now get none.
        neutralised: whether the cut could be taken out at all (``item`` and ``numpy`` cannot).
    """

    cut: int
    gained: tuple[str, ...] = ()
    neutralised: bool = True


class Diagnosis(
    Drawable,
    frozen=True,
    kw_only=True,
    omit_defaults=False,
    tag="graphvis/diagnosis/1",
    dict=True,
    rename={"findings": "verdicts"},
):
    """All verdicts, cuts and conflicts of one ``backward()``.

    Attributes:
        backward: the line that starts it; None where it has not been called.
        findings: the verdicts as they are saved, in the order of the parameters.
        cuts: each cut that severs a parameter, once.
        conflicts: the saved tensors that were overwritten.
        graph: the graph that was diagnosed, joined with the trace's value lane; None where it was left out.
        notes: in sentences, what could not be seen or verified, and terms of the loss that train nothing.
        advice: what was measured without a cut; empty where nobody asked.
        traced: whether there was a trace; without one the reasons cannot be known.
        error: what backward raised where it was tried, in its own words, and no conflict tells why; else empty.
        caller: the user's own line, where `backward` lies in a library; None where they are one.
    """

    backward: Location | None = None
    findings: tuple[Finding, ...] = ()
    cuts: tuple[Cut, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    graph: Graph | None = None
    notes: tuple[str, ...] = ()
    advice: tuple[Advice, ...] = ()
    traced: bool = True
    error: str = ""
    caller: Location | None = None

    @cached_property
    def verdicts(self) -> Mapping[str, Verdict]:
        """The verdict of each parameter by its name, in order."""
        found = {}
        for finding in self.findings:
            values = {name: getattr(finding, name) for name in finding.__struct_fields__}
            values["cuts"] = tuple(self.cuts[i] for i in finding.cuts)
            found[finding.parameter] = Verdict(**values)
        return MappingProxyType(found)

    @property
    def ok(self) -> bool:
        """Whether no trainable parameter goes without its gradient, nothing conflicts and no backward raised."""
        return not (self.conflicts or self.error) and all(
            finding.status in ("gradient", "frozen") for finding in self.findings
        )

    def check(self) -> None:
        """Raise DocumentError where parts of the diagnosis contradict each other."""
        if self.graph is not None:
            self.graph.check()
        pointed = [i for finding in self.findings for i in finding.cuts] + [advice.cut for advice in self.advice]
        if any(not 0 <= i < len(self.cuts) for i in pointed):
            raise DocumentError("a verdict of the diagnosis refers to a cut that it does not hold")

    def __str__(self) -> str:
        return self._told()

    def __repr__(self) -> str:
        counts: dict[str, int] = {}
        for finding in self.findings:
            counts[finding.status] = counts.get(finding.status, 0) + 1
        told = ", ".join(f"{count} {status}" for status, count in counts.items()) or "no parameters"
        cuts, writes = len(self.cuts), len(self.conflicts)
        return f"<graphvis.Diagnosis: {told}; {cuts} cut{'s' * (cuts != 1)}, {writes} conflict{'s' * (writes != 1)}>"
