"""The tensors among the arguments and results of a call."""

from __future__ import annotations

from typing import Any

import torch

REQUIRES_GRAD, LEAF = 1, 2
_Tensor = torch.Tensor
_ITERATORS: tuple[type, ...] = (type(iter(())), type(iter([])))
# Of these nothing is asked: isinstance() with the class of tensors is slow where the answer is no.
_PLAIN = frozenset({int, float, bool, str, type(None), torch.dtype, torch.device, torch.Size})
_NESTS = (tuple, list, dict, slice, *_ITERATORS)


def flag_of(tensor: Any) -> int:
    """What a tensor says of itself without its ``grad_fn`` being touched, which would plant wrappers in the graph."""
    if not tensor.requires_grad:
        return LEAF
    try:
        return REQUIRES_GRAD | LEAF if tensor.is_leaf else REQUIRES_GRAD
    except RuntimeError:  # a view made under no_grad whose base was written to since: PyTorch refuses to say
        return REQUIRES_GRAD | LEAF


def flag_within(tensor: Any) -> int:
    """What a tensor without memory says of itself, or any that it is wrapped around: vmap's say nothing themselves."""
    inner, wrapped = tensor, False
    while not inner.requires_grad and torch._C._functorch.is_functorch_wrapped_tensor(inner):
        inner, wrapped = torch._C._functorch.get_unwrapped(inner), True
    # A wrapper is no leaf, except that a view made of one under no_grad leads nowhere.
    return REQUIRES_GRAD if wrapped and inner.requires_grad and torch.is_grad_enabled() else flag_of(inner)


def tensors_of(args: Any, kwargs: Any) -> list[Any]:
    """The tensors among the arguments of a call, nested ones too, in order; what is called ``input`` is the first."""
    found = []
    if kwargs and not args and "input" in kwargs:
        kwargs = {"input": kwargs["input"], **kwargs}
    for item in args:
        kind = type(item)
        if kind is _Tensor:
            found.append(item)
        elif kind in _PLAIN:
            continue
        elif isinstance(item, _Tensor):
            found.append(item)
        elif isinstance(item, _NESTS):
            return _nested(args, kwargs)
    if kwargs:
        for item in kwargs.values():
            if type(item) in _PLAIN:
                continue
            if isinstance(item, _Tensor):
                found.append(item)
            elif isinstance(item, _NESTS):
                return _nested(args, kwargs)
    return found


def _nested(args: Any, kwargs: Any) -> list[Any]:
    found = []
    stack = list(reversed(args))
    if kwargs:
        stack[:0] = reversed(list(kwargs.values()))
    while stack:
        item = stack.pop()
        if isinstance(item, _Tensor):
            found.append(item)
        elif isinstance(item, (tuple, list)):
            stack.extend(reversed(item))
        elif isinstance(item, dict):
            stack.extend(reversed(list(item.values())))
        elif isinstance(item, slice):
            stack.extend((item.step, item.stop, item.start))
        elif isinstance(item, _ITERATORS):  # of an unbind: its state can be read without taking from it
            state = item.__reduce__()
            if len(state) > 1 and state[1]:
                stack.append(state[1][0])
    return found
