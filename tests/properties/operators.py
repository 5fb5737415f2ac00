"""PyTorch's own samples of its operators and modules, each held against a real backward.

Run as a program of its own, ``python -m tests.properties.operators operators 1`` (or ``modules``), because PyTorch's
database of them changes what it is imported into (flags, scripted calls). It prints what disagrees, by name, as JSON.
"""

from __future__ import annotations

import contextlib
import json
import random
import re
import sys
import warnings
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_flatten, tree_unflatten

import graphvis

CHANGES: tuple[Callable[[Tensor], Tensor], ...] = (
    lambda t: t * 1.25, lambda t: t + 0.37, lambda t: t * -1.3, lambda t: t.flip(0) * 0.9,
)  # fmt: skip
REFUSED = "modified by an inplace operation|has been modified inplace"  # what PyTorch says of writes
Told = dict[str, list[str]]
Gradients = list[Tensor | None]


def is_real(item: Any) -> bool:
    return isinstance(item, Tensor) and (item.is_floating_point() or item.is_complex())


def tensors_in(value: Any) -> list[Tensor]:
    return [leaf for leaf in tree_flatten(value)[0] if isinstance(leaf, Tensor)]


def strided(tensor: Tensor) -> Tensor:
    if tensor.is_nested:
        tensor = torch.cat([part.flatten() for part in tensor.unbind()])
    tensor = tensor if tensor.layout is torch.strided else tensor.to_dense()
    return torch.view_as_real(tensor.resolve_conj()) if tensor.is_complex() else tensor


def weighed(tensor: Tensor) -> Tensor:
    """A number in which all of a tensor counts, each of its own weight; integers too."""
    flat = strided(tensor).to(torch.float64).flatten()
    return (flat * (torch.cos(torch.arange(len(flat), dtype=torch.float64)) + 1.3)).sum()


def equal(ours: list[Any], theirs: list[Any]) -> bool:
    for one, other in zip(ours, theirs, strict=True):
        if one is None or other is None:
            if one is not other:
                return False
            continue
        one, other = strided(one.detach()), strided(other.detach())
        if one.shape != other.shape or not torch.equal(one.isnan(), other.isnan()):
            return False
        if not torch.equal(one.nan_to_num(), other.nan_to_num()):
            return False
    return True


class Sample:
    """One call of an operator; its floating inputs are computed from leaves.

    Args:
        call: the operator.
        values: its arguments, nested.
        dropped: places of floating arguments that PyTorch lets nobody differentiate by.
    """

    def __init__(self, call: Callable[..., Any], values: Any, dropped: frozenset[int] = frozenset()) -> None:
        self.call = call
        self.flat, self.spec = tree_flatten(values)
        self.places = [i for i, item in enumerate(self.flat) if is_real(item) and i not in dropped]

    def leaves(self, change: tuple[int, Callable[[Tensor], Tensor]] | None = None) -> list[Tensor]:
        found = [self.flat[place].detach().clone() for place in self.places]
        if change is not None:
            found[change[0]] = change[1](found[change[0]])
        return [leaf.requires_grad_() for leaf in found]

    def arguments(self, inputs: list[Tensor]) -> Any:
        flat = [item.clone() if isinstance(item, Tensor) else item for item in self.flat]
        for place, item in zip(self.places, inputs, strict=True):
            flat[place] = item
        torch.manual_seed(3)
        return tree_unflatten(flat, self.spec)

    def results(self, change: tuple[int, Callable[[Tensor], Tensor]] | None = None) -> list[Tensor]:
        with torch.no_grad():
            given, args, kwargs = self.arguments([leaf * 1.0 for leaf in self.leaves(change)])
            return tensors_in(self.call(given, *args, **kwargs))

    def counts(self, which: int) -> bool:
        """Whether the results change when an input does."""
        before = self.results()
        for change in CHANGES:
            with contextlib.suppress(RuntimeError, ValueError):
                if not equal(before, self.results((which, change))):
                    return True
        return False


class Run:
    """A recorded run of a sample, with a cut or a write if one is asked for."""

    def __init__(self, sample: Sample, cut: bool = False, place: int | None = None, counted: bool = True) -> None:
        self.leaves = sample.leaves()
        self.names = {f"leaf {place}": leaf for place, leaf in enumerate(self.leaves)}
        with graphvis.record() as self.recording:
            given, args, kwargs = sample.arguments([leaf * 1.0 for leaf in self.leaves])
            results = tensors_in(sample.call(given, *args, **kwargs))  # CALL
            self.touched = [item for item in (*tensors_in((given, args, kwargs)), *results) if is_real(item)]
            # What is sparse has no memory that a recording knows.
            self.touched = [item for item in self.touched if item.layout is torch.strided]
            if cut:
                results = [result.detach() for result in results]  # CUT
            if place is not None and counted:
                with torch.no_grad():
                    self.touched[place].mul_(1.75)  # WRITE
            elif place is not None:
                self.touched[place].data.mul_(1.75)  # WRITE UNCOUNTED
            self.loss = sum(map(weighed, results), torch.zeros((), dtype=torch.float64))

    def diagnose(self, probe: bool = False) -> graphvis.Diagnosis:
        found = graphvis.diagnose(self.loss, self.recording, self.names, probe=probe)
        assert str(found)
        return found

    def backward(self) -> Gradients | str:
        """What a real one gives, or what it says."""
        try:
            if self.loss.requires_grad:
                self.loss.backward()
        except (RuntimeError, NotImplementedError) as error:
            return str(error)
        return [leaf.grad for leaf in self.leaves]


with open(__file__, encoding="utf-8") as _source:
    LINES = {
        line.rpartition("# ")[2]: number for number, line in enumerate(map(str.rstrip, _source), 1)
        if line.endswith(("# CALL", "# CUT", "# WRITE", "# WRITE UNCOUNTED"))
    }  # fmt: skip


def check_verdicts(sample: Sample) -> Iterator[str]:
    """Who gets a gradient, and why not; then with a cut behind the call."""
    run, cut = Run(sample), Run(sample, cut=True)
    found = run.diagnose(), run.diagnose(probe=True)
    gradients = run.backward()
    if isinstance(gradients, str):
        if gradients.startswith("derivative for aten::") and found[0].ok:
            yield f"all is well where backward says {gradients}"
        return
    for which, gradient in enumerate(gradients):
        statuses = [diagnosis.verdicts[f"leaf {which}"].status for diagnosis in found]
        if gradient is not None:
            some = not gradient.numel() or bool(strided(gradient).count_nonzero())
            if statuses != ["gradient", "gradient" if some else "zero"]:
                yield f"{statuses} where backward gives {'some' if some else 'zero'}"
            if not some:
                continue
            verdict = cut.diagnose().verdicts[f"leaf {which}"]
            lines = {(one.kind, one.location.line) for one in verdict.cuts}
            if not {("detach", LINES["CUT"])} <= lines <= {
                ("detach", LINES["CUT"]), ("non_differentiable", LINES["CALL"]),
            }:  # fmt: skip
                yield f"{verdict.status}, {lines} where its result is detached"
        elif sample.counts(which):
            for diagnosis in found:
                verdict = diagnosis.verdicts[f"leaf {which}"]
                if [(one.kind, one.location.line) for one in verdict.cuts] != [("non_differentiable", LINES["CALL"])]:
                    yield f"{verdict.status}, {verdict.cuts} where the result follows and no gradient comes back"


def check_conflicts(sample: Sample, most: int) -> Iterator[str]:
    """What writing to an argument or a result does to backward."""
    right, again = Run(sample), Run(sample)
    gradients, same = right.backward(), again.backward()
    if isinstance(gradients, str) or isinstance(same, str) or not equal(gradients, same):
        return
    writes = [(place, counted) for place in range(len(right.touched)) for counted in (True, False)]
    for place, counted in random.Random(most).sample(writes, min(most, len(writes))):
        try:
            run = Run(sample, place=place, counted=counted)
        except RuntimeError:  # PyTorch forbids the write
            continue
        conflicts = run.diagnose(probe=True).conflicts
        for conflict in conflicts:
            saved, wrote = conflict.saved_at, conflict.modified_at
            want = LINES["CALL"], LINES["WRITE" if counted else "WRITE UNCOUNTED"]
            if saved is None or wrote is None or (saved.line, wrote.line) != want:
                yield f"{saved} and {wrote} instead of lines {want}"
        raises = [conflict for conflict in conflicts if conflict.effect == "raises"]
        found = run.backward()
        if isinstance(found, str) != bool(raises):
            yield f"{raises} where backward {f'says {found}' if isinstance(found, str) else 'does not raise'}"
        elif isinstance(found, str):
            versions = re.search(r"is at version (\d+); expected version (\d+)", found)
            if versions and not any(
                (one.version, one.expected_version) == (int(versions[1]), int(versions[2])) for one in raises
            ):
                yield f"{raises} where backward says {found}"
        elif not counted and any(one.certain for one in conflicts) == equal(found, gradients):
            yield f"{conflicts} where the gradients {'are right' if conflicts else 'differ'}"


def check_writes(operator: Any, sample: Any) -> Iterator[str]:
    """What an operator and its variants write to, counted or not."""
    for call in (operator.op, operator.inplace_variant):
        case = Sample(call, (sample.input, sample.args, sample.kwargs)) if call is not None else None
        if case is None:
            continue
        with torch.no_grad(), graphvis.record() as recording:
            given, args, kwargs = case.arguments([leaf * 1.0 for leaf in case.leaves()])
            tensors = [
                item
                for item in tensors_in((given, args, kwargs))
                if item.layout is torch.strided and not item.is_nested
            ]
            before = [(item._version, item.clone()) for item in tensors]
            try:
                call(given, *args, **kwargs)
            except (RuntimeError, TypeError, ValueError, AssertionError, NotImplementedError):
                continue
        written = {write.tensor: write for one in recording.freeze().calls for write in one.writes}
        for item, (version, values) in zip(tensors, before, strict=True):
            write = written.get(recording.number(item))
            moved = item._version != version
            if write is None and (moved or item.shape != values.shape or not equal([item], [values])):
                yield f"{call}: no write where {'the version moved' if moved else 'values changed'}"
            elif write is not None and write.counted != moved:
                yield f"{call}: a write that is {'' if write.counted else 'not '}counted"


def check_places(operator: Any, sample: Any) -> Iterator[str]:
    """Where numbers of a result change when one of an input that is said to be read place by place does."""
    for call in filter(None, (operator.op, operator.inplace_variant)):
        case = Sample(call, (sample.input, sample.args, sample.kwargs))

        def run(which: int = 0, number: int | None = None, case: Sample = case) -> tuple[list[Tensor], list[Tensor]]:
            inputs = [leaf.detach().clone() for leaf in case.leaves()]
            if number is not None:
                one = inputs[which].flatten()
                one[number] += 0.61
                inputs[which] = one.view(inputs[which].shape)
            given, args, kwargs = case.arguments(inputs)
            with torch.no_grad(), contextlib.suppress(RuntimeError, TypeError, ValueError, NotImplementedError):
                return inputs, tensors_in(case.call(given, *args, **kwargs))
            return inputs, []

        with graphvis.record() as recording:
            inputs, results = run()
        calls = [one for one in recording.freeze().calls if one.outputs]
        aligned = calls[-1].inputs[: calls[-1].aligned] if calls else ()
        for which, item in enumerate(inputs):
            known = recording.number(item)
            if known not in aligned or item.shape != case.flat[case.places[which]].shape:
                continue
            if sum(known in one.inputs for one in calls) > 1:  # other calls take it too
                continue
            for number in random.Random(which).sample(range(item.numel()), min(3, item.numel())):
                for before, after in zip(results, run(which, number)[1], strict=False):
                    with contextlib.suppress(RuntimeError):  # it is not broadcast to this one
                        place = torch.arange(item.numel()).view(item.shape).expand(before.shape) == number
                        moved = (before != after) & ~(before.isnan() & after.isnan())
                        if (moved & ~place).any():
                            yield f"{call}: input {which} is not read place by place"


def samples_of(operator: Any, most: int) -> Iterator[tuple[Any, Sample]]:
    """The first sample and some others, with their floating arguments by which PyTorch lets us differentiate."""
    torch.manual_seed(0)
    random.seed(0)
    wanted = (torch.float64, torch.float32, *sorted(operator.dtypes, key=str))
    dtype = next((one for one in wanted if one in operator.dtypes), torch.float64)
    found = list(islice(operator.sample_inputs("cpu", dtype, requires_grad=False), 1 if most == 1 else 40))
    for sample in [*found[:1], *random.Random(0).sample(found[1:], min(most - 1, len(found) - 1))]:
        values = sample.input, sample.args, sample.kwargs
        case = Sample(operator.op, values)
        for dropped in (None, *case.places):
            tried = case if dropped is None else Sample(operator.op, values, frozenset({dropped}))
            with contextlib.suppress(Exception):
                if equal(tried.results(), tried.results()):
                    Run(tried)
                    yield sample, tried
                    break


def check_operators(most: int) -> Told:
    from torch.testing._internal.common_methods_invocations import op_db

    told: Told = {}
    for operator in op_db[:: 3 if most == 1 else 1]:
        name = f"{operator.name}.{operator.variant_test_name}".rstrip(".")
        if "empty" in name:  # holds whatever lay there
            continue
        with contextlib.suppress(ImportError):  # samples made with SciPy
            for sample, case in samples_of(operator, most):
                found = [
                    *check_verdicts(case),
                    *check_conflicts(case, most),
                    *check_writes(operator, sample),
                    *check_places(operator, sample),
                ]
                if found:
                    told.setdefault(name, []).extend(found)
    return told


def apart(values: Any) -> Any:
    """Nested arguments, their floating tensors as leaves of their own."""
    flat, spec = tree_flatten(values)
    leaves = [item.detach().clone().requires_grad_(item.requires_grad) if is_real(item) else item for item in flat]
    return tree_unflatten(leaves, spec)


def check_module(made: Callable[[], torch.nn.Module], given: Any) -> Iterator[str]:
    """One module: recording changes nothing, its parameters are judged right, its buffers' updates are noted."""
    runs = []
    for recording in (graphvis.record(), contextlib.nullcontext()):
        module = made()
        before = {name: (buffer._version, buffer.clone()) for name, buffer in module.named_buffers()}
        args, kwargs = apart((given.args, given.kwargs))
        torch.manual_seed(6)
        with recording:
            results = tensors_in(module(*args, **kwargs))
            loss = sum(map(weighed, results), torch.zeros((), dtype=torch.float64))
        runs.append((module, recording, before, results, loss))
    (module, recording, before, results, loss), (other, _, _, same, unwatched) = runs
    if not equal(results, same) or not equal([*module.buffers()], [*other.buffers()]):
        yield "recording changes what comes out"
    written = {write.tensor: write for call in recording.freeze().calls for write in call.writes}
    for name, buffer in module.named_buffers():
        version, values = before[name]
        write = written.get(recording.number(buffer))
        if not equal([buffer], [values]) and (write is None or write.counted != (buffer._version != version)):
            yield f"{name} is updated, and noted is {write}"
    found = [graphvis.diagnose(loss, recording, module, probe=probe).verdicts for probe in (False, True)]
    for one in (loss, unwatched):
        if one.requires_grad:
            one.backward()
    if not equal([leaf.grad for leaf in module.parameters()], [leaf.grad for leaf in other.parameters()]):
        yield "recording changes gradients"
    for name, leaf in module.named_parameters():
        statuses = [verdicts[name].status for verdicts in found]
        if leaf.grad is None:
            wanted = ["unused", "unused"] if leaf.requires_grad else ["frozen", "frozen"]
        else:
            some = not leaf.numel() or bool(strided(leaf.grad).count_nonzero())
            wanted = ["gradient", "gradient" if some else "zero"]
        if statuses != wanted:
            yield f"{name}: {statuses} instead of {wanted}"


def check_modules(most: int) -> Told:
    from torch.testing._internal.common_modules import module_db

    told: Told = {}
    for info in module_db:
        for training in (True, False):
            torch.manual_seed(0)
            found = info.module_inputs_func(info, "cpu", torch.float64, requires_grad=True, training=training)
            for sample in [*found[:1], *random.Random(0).sample(found[1:], min(most, len(found) - 1))]:

                def made(sample: Any = sample, info: Any = info, training: bool = training) -> torch.nn.Module:
                    torch.manual_seed(5)
                    given = sample.constructor_input
                    module: torch.nn.Module = info.module_cls(*given.args, **given.kwargs)
                    return module.to(torch.float64).train(training)

                disagreeing = [*check_module(made, sample.forward_input)]
                if disagreeing:
                    told.setdefault(info.name, []).extend(disagreeing)
    return told


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    json.dump(
        {"operators": check_operators, "modules": check_modules}[sys.argv[1]](int(sys.argv[2])), sys.stdout, indent=1
    )
