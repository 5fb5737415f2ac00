"""What is to be judged."""

from __future__ import annotations

import msgspec


class Zeroing(msgspec.Struct, frozen=True):
    """The node at which a probe saw a gradient become zero, or None.

    Attributes:
        node: its name.
        sequence: its sequence number.
        custom: whether it is that of a custom Function.
        partly: whether some of its outputs took in no gradient: then it may be right to hand none on.
    """

    node: str
    sequence: int
    custom: bool = False
    partly: bool = False


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """A parameter that is to be judged.

    Attributes:
        name: its name.
        numbers: its numbers in the trace, oldest first; empty if the trace did not see it.
        shown: the numbers of others that lie in its memory, that no call made, and that were seen before it: they were
            there before the recording.
        shared: whether an array of another library lies in its memory that nobody was seen to make: what is computed
            from that is not known.
        reached: whether a gradient edge leads from the outputs to it.
        requires_grad: whether it requires grad now.
        shape: its sizes.
        zero: the node that makes its gradient exactly zero, as a probe measured; None where it is not, or nobody asked.
        withdrawn: the call that took the history of what a checkpoint before it will run again on, where that is the
            only way to it.
        checkpointed: the arguments of reentrant checkpoints by which edges lead to it, where no others do.
        missing: whether a probe found that backward gives it no gradient although an edge leads to it.
        arrived: whether backward gave it a gradient though no edge leads to it; None where nobody measured.
    """

    name: str
    numbers: tuple[int, ...] = ()
    shown: tuple[int, ...] = ()
    shared: bool = False
    reached: bool = False
    requires_grad: bool = True
    shape: tuple[int, ...] = ()
    zero: Zeroing | None = None
    missing: Zeroing | None = None
    arrived: bool | None = None
    withdrawn: int | None = None
    checkpointed: tuple[int, ...] = ()

    @property
    def hangs_on_values(self) -> bool:
        """Whether the verdict hangs on where its value went, and not on where the gradient goes alone."""
        return self.requires_grad and (not self.reached or self.missing is not None or bool(self.checkpointed))
