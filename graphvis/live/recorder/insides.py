"""What the program's own code reads that runs inside of a call, where PyTorch tells the recording of no other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch._C import DisableTorchFunction
from torch.overrides import TorchFunctionMode, redispatch_function

from graphvis.live.recorder.arguments import tensors_of
from graphvis.live.recorder.frames import TORCH, Frames

if TYPE_CHECKING:
    from graphvis.live.recorder.tape import Tape


class Inside(TorchFunctionMode):
    """Listens in the place of the recording while a call runs that the program implements.

    Attributes:
        read: the numbers of the tensors that its code took and has not made itself, in order.
    """

    def __init__(self, tape: Tape, asks: bool) -> None:
        """Begin.

        Args:
            tape: of the recording.
            asks: whether the classes of its arguments say what the call does.
        """
        super().__init__()
        self._asks = asks
        self.read: dict[int, None] = {}
        self._tape = tape
        self._made: set[int] = set()

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        tape = self._tape
        index = tape.described.get(func)
        function = tape.functions[tape.describe(func) if index is None else index]
        if function.skip:
            return func(*args, **(kwargs or {}))
        with DisableTorchFunction():
            tensors = tensors_of(args, kwargs)
            numbers, _ = tape.identities.see_all(tensors)
        result = func(*args, **(kwargs or {}))
        with DisableTorchFunction():
            outputs, _ = tape.number(result, tensors, numbers, function.existing)
        self.read.update(dict.fromkeys(number for number in numbers if number not in self._made))
        self._made.update(number for number in outputs if number not in numbers)
        return result

    def run(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        """Run the call, as PyTorch does where no mode is on."""
        with self:
            for kind in types if self._asks else ():
                result = kind.__torch_function__(func, types, args, kwargs or {})
                if result is not NotImplemented:
                    return result
            return redispatch_function(func, types, args, kwargs or {})  # type: ignore[no-untyped-call]


def have_code(types: Any, frames: Frames) -> bool:
    """Whether the program says what a call does of which PyTorch asks these classes, all of tensors, and no object."""
    methods = [getattr(kind, "__torch_function__", None) for kind in types if issubclass(kind, torch.Tensor)]
    if len(methods) < len(types) or any(getattr(method, "__self__", None) is None for method in methods):
        return False
    codes = [getattr(getattr(method, "__func__", None), "__code__", None) for method in methods]
    return any(code is not None and frames.kind(code.co_filename) != TORCH for code in codes)
