"""What autograd nodes keep for their backward, read without running anyone's code.

A node shows each saved tensor twice: ``_raw_saved_result`` is the box that it lies in, and
``_saved_result`` is what backward would be handed. Only the second compares the version counters and
tells whether the graph was freed; but where hooks packed the tensor it runs them, and a
checkpoint's hooks run the forward again. So the box is opened first, and where it has hooks nothing
more is asked.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from operator import attrgetter
from typing import Any, NamedTuple

import torch

from graphvis.live.walker.tensors import Storages, dtype_of, runs_code, shape_of, version_of
from graphvis.model.tensor import Saved, SavedState

_RAW, _CHECKED = "_raw_saved_", "_saved_"
_EXPECTED_VERSION = re.compile(r"is at version (\d+); expected version (\d+) instead")


# Where a tensor lies, in the numbers of a running record.
Memory = Callable[[torch.Tensor], tuple[int, int, int] | None]


class _Slot:
    """Where nodes of one class keep one thing.

    Attributes:
        name: of the attribute, without its prefix.
        raw: gives a node's box, or a tuple of them.
        checked: gives what backward would be handed, or raises.
        output: whether a box was seen to hold an output of its own node.
    """

    __slots__ = ("checked", "name", "output", "raw")

    def __init__(self, name: str, raw: Callable[[Any], Any], checked: Callable[[Any], Any]) -> None:
        self.name = name
        self.raw = raw
        self.checked = checked
        self.output = False


class _Finding(NamedTuple):
    """What PyTorch answered when asked for a saved tensor: in which state, and if overwritten, the versions."""

    state: SavedState
    version: int | None = None
    expected: int | None = None


_INTACT = _Finding("intact")


class SavedReader:
    """Reads the saved tensors of nodes, and remembers what nodes of each class keep."""

    def __init__(self, storages: Storages, memory: Memory | None = None) -> None:
        self._storages = storages
        self._memory = memory
        self._slots: dict[type, tuple[_Slot, ...]] = {}

    def read(self, node: Any) -> tuple[Saved, ...]:
        """What `node` keeps, by the order of its attributes' names."""
        slots = self._slots.get(type(node))
        if slots is None:
            slots = self._slots[type(node)] = _slots_of(type(node))
        found: list[Saved] = []
        for slot in slots:
            try:
                raw = slot.raw(node)
            except RuntimeError:  # several at once, which are gone as a whole
                found.append(Saved(name=slot.name, state="freed"))
                continue
            if isinstance(raw, tuple):
                found += self._read_several(slot, raw, node)
            else:
                saved = self._read_one(slot, raw, node)
                if saved is not None:
                    found.append(saved)
        return tuple(found)

    def _read_one(self, slot: _Slot, box: Any, node: Any) -> Saved | None:
        if box.unpack_hook is not None:
            return Saved(name=slot.name, state="unknown")
        tensor = box.data
        if tensor is None:
            # Freed, or an optional argument that this call did not have.
            return Saved(name=slot.name, state="freed") if _ask(slot.checked, node)[0].state == "freed" else None
        finding = _Finding("unknown") if runs_code(tensor) else self._judge(slot, box, node, tensor)
        return self._describe(slot.name, tensor, finding)

    def _judge(self, slot: _Slot, box: Any, node: Any, tensor: torch.Tensor) -> _Finding:
        """In which state the tensor in a box is.

        An input lies in its box as it is, and backward asks the box for it. An output lies there
        without its history, lest it keep its own node alive, and only with the node is it handed
        out, as a new tensor: that is spared where no write was counted.
        """
        if slot.output:
            return _ask(slot.checked, node)[0] if version_of(tensor) else _INTACT
        finding, _ = _ask(box.unpack)
        if finding.state == "detached":
            checked, value = _ask(slot.checked, node)
            if value is not tensor:
                slot.output = True
                return checked
        return finding

    def _read_several(self, slot: _Slot, boxes: tuple[Any, ...], node: Any) -> list[Saved]:
        hooked = [box.unpack_hook is not None for box in boxes]
        tensors = [None if hook else box.data for hook, box in zip(hooked, boxes, strict=True)]
        opaque = any(hooked) or any(tensor is not None and runs_code(tensor) for tensor in tensors)
        whole = _Finding("unknown") if opaque else _ask(slot.checked, node)[0]
        findings = [whole] * len(boxes) if whole.state == "intact" else _tell_apart(boxes, hooked, tensors, whole)
        found = []
        for i, (hook, tensor, finding) in enumerate(zip(hooked, tensors, findings, strict=True)):
            name = f"{slot.name}[{i}]"
            if hook:
                found.append(Saved(name=name, state="unknown"))
            elif tensor is not None:
                found.append(self._describe(name, tensor, finding))
        return found

    def _describe(self, name: str, tensor: torch.Tensor, finding: _Finding) -> Saved:
        storage, nbytes = self._storages.look(tensor)
        version = version_of(tensor)
        return Saved(
            name=name,
            state=finding.state,
            shape=shape_of(tensor),
            dtype=dtype_of(tensor),
            nbytes=nbytes,
            storage=storage,
            saved_version=version if finding.state == "intact" else finding.expected,
            version=version,
            leaf=_is_leaf(tensor),
            memory=None if self._memory is None else self._memory(tensor),
        )


def _slots_of(kind: type) -> tuple[_Slot, ...]:
    if issubclass(kind, torch._C._FunctionBase):
        # A custom Function: its class is the user's, so the attributes are taken from PyTorch's.
        base = vars(torch._C._FunctionBase)
        return (_Slot("tensors", base["_raw_saved_tensors"].__get__, base["saved_tensors"].__get__),)
    names = sorted(key.removeprefix(_RAW) for key in vars(kind) if key.startswith(_RAW))
    return tuple(_Slot(name, attrgetter(_RAW + name), attrgetter(_CHECKED + name)) for name in names)


def _is_leaf(tensor: torch.Tensor) -> bool:
    """Whether a tensor is a leaf that requires grad."""
    try:
        return tensor.is_leaf and tensor.requires_grad
    except RuntimeError:  # one of several views that came out of one call, and what they show was written to since
        return False


def _ask(checked: Callable[..., Any], *arguments: Any) -> tuple[_Finding, Any]:
    """Whether PyTorch hands out what was saved, and what it hands out; if not, why not, and None."""
    try:
        return _INTACT, checked(*arguments)
    except RuntimeError as error:
        return _read_error(str(error)), None


def _read_error(message: str) -> _Finding:
    versions = _EXPECTED_VERSION.search(message)
    if versions:
        return _Finding("overwritten", int(versions[1]), int(versions[2]))
    if "has been modified inplace" in message:  # a view that PyTorch gives up once what it shows is written to
        return _Finding("overwritten")
    if "detached in-place" in message:
        return _Finding("detached")
    return _Finding("freed" if "already been freed" in message else "unknown")


def _tell_apart(
    boxes: tuple[Any, ...], hooked: list[bool], tensors: list[torch.Tensor | None], whole: _Finding
) -> list[_Finding]:
    """The finding of each of several boxes, when PyTorch refuses to hand out all of them at once.

    Asked one by one, a box that holds an output of its own node says "detached" for want of the
    node. `whole`, the answer to asking for all, is about the first box that cannot be handed out,
    so it settles the matter for one such box and leaves further ones unknown.
    """
    findings = [
        _Finding("unknown") if hook or tensor is None or runs_code(tensor) else _ask(box.unpack)[0]
        for box, hook, tensor in zip(boxes, hooked, tensors, strict=True)
    ]
    settled = whole in findings
    for i, (finding, tensor) in enumerate(zip(findings, tensors, strict=True)):
        if finding.state != "detached" or tensor is None:
            continue
        fits = whole.state == "overwritten" and whole.version == version_of(tensor)
        findings[i] = whole if fits and not settled else _Finding("unknown")
        settled = settled or fits
    return findings
