"""Saved tensors that were overwritten before backward needs them: who saved, who wrote, and what comes of it."""

from __future__ import annotations

from collections.abc import Iterator

from graphvis.analysis.cutting import cut_by_name, short
from graphvis.analysis.diagnosing.regions import Region, overlap, region_of
from graphvis.model import Call, Conflict, Graph, Location, Saved, Trace, Write

_OF_RESULTS = ("result", "output", "out", "result0", "result1")
# In-place and foreach operations whose derivative is taken from the result. Nodes made by a write into a view
# (CopySlices) and by foreach calls do not show what they save.
_KEEP_RESULT = frozenset(
    ["exp", "expm1", "exp2", "sigmoid", "tanh", "sqrt", "rsqrt", "reciprocal", "relu", "leaky_relu", "elu", "selu",
     "celu", "threshold", "rrelu", "hardsigmoid", "softmax", "log_softmax"]
)  # fmt: skip
_KEEP_OTHERS = frozenset(["mul", "div", "true_divide", "addcmul", "addcdiv", "lerp", "masked_fill", "where", "pow"])
_KEEP_INPUTS = frozenset(["mul", "div", "pow", "sin", "cos", "log", "abs", "addcmul", "addcdiv", "tan", "erf", "log2"])
_DETACHED = "detached"
# Which argument a node saved, by the names that derivatives.yaml gives them; one more where a sum comes first.
_PLACES = {
    "self": 0, "input": 0, "mat1": 0, "batch1": 0, "tensor1": 1,
    "mat2": 1, "batch2": 1, "other": 1, "weight": 1, "vec": 1, "vec2": 1, "tensor2": 2,
}  # fmt: skip
_SUM_FIRST = frozenset({"addmm", "baddbmm", "addbmm", "addmv"})


def find_conflicts(graph: Graph, trace: Trace | None, stop: int | None = None) -> tuple[Conflict, ...]:
    """Every saved tensor that was overwritten since it was saved, in the order of the graph's nodes.

    Without a trace only what PyTorch itself refuses is known, and no line.

    Args:
        graph: a walk with the saved tensors' states.
        trace: the run that built it.
        stop: look at the calls before this one only; None for all.
    """
    return tuple(_Search(graph, trace, stop).run())


class _Search:
    def __init__(self, graph: Graph, trace: Trace | None, stop: int | None) -> None:
        self.graph = graph
        self.trace = trace
        self.calls: dict[int, int] = {}
        self.writes: dict[int, list[tuple[int, Write]]] = {}
        self.severed: dict[int, list[int]] = {}
        self.counters: list[int] = []
        self.checkpointed: dict[int, int] = {}  # calls that backward will run again, and in which checkpoint
        self.remade: dict[int, int] = {}  # the tensors that they make
        if trace is not None:
            self.calls = calls_of_nodes(graph, trace)
            self._read(trace, len(trace.calls) if stop is None else stop)

    def _read(self, trace: Trace, stop: int) -> None:
        """Note the writes by storage, the calls of ``detach_``, and which tensors share a version counter."""
        self.counters = list(range(len(trace.tensors)))
        depth = checkpoint = 0
        for index, call in enumerate(trace.calls[:stop]):
            for write in call.writes:
                if write.storage is not None:
                    self.writes.setdefault(write.storage, []).append((index, write))
            if call.function.startswith("torch.utils.checkpoint "):
                depth += 1 if call.function.endswith("(True)") else -1
                checkpoint = index if depth == 1 else checkpoint
            elif depth:
                self.checkpointed[index] = checkpoint
                self.remade.update((number, checkpoint) for number in call.outputs if number not in call.inputs)
            if short(call) == "detach_" and call.inputs and call.connected[0]:
                self.severed.setdefault(call.inputs[0], []).append(index)
            own_counter = cut_by_name(call) in ("data", "numpy", "copy")
            for output in call.outputs:
                for source in call.inputs:
                    same = trace.tensors[source].storage == trace.tensors[output].storage
                    if source != output and same and trace.tensors[output].storage is not None and not own_counter:
                        self.counters[output] = self.counters[source]
                        break

    def run(self) -> Iterator[Conflict]:
        for node in sorted(self.graph.reached):
            if self.graph.kinds[node] != "function":
                continue
            saved = self.graph.saved.get(node, ())
            for one in saved:
                conflict = self._of_saved(node, one)
                if conflict is not None:
                    yield conflict
            hidden = None if saved else self._of_hidden(node)
            if hidden is not None:
                yield hidden

    def _of_saved(self, node: int, saved: Saved) -> Conflict | None:
        call = self.calls.get(node)
        if str(saved.state) == _DETACHED:
            return self._conflict(node, saved, "raises", call, self._detached_at(call))
        if saved.state == "overwritten":
            return self._conflict(node, saved, "raises", call, self._written_at(call, saved, counted=True))
        if saved.state == "unknown" and call in self.checkpointed and call is not None:
            return self._of_checkpoint(node, saved, call)
        if saved.state == "intact" and call is not None:
            wrote = self._written_at(call, saved, counted=False)
            if wrote is not None:
                return self._conflict(node, saved, "wrong gradient", call, wrote)
        return None

    def _conflict(self, node: int, saved: Saved, effect: str, call: int | None, wrote: int | None) -> Conflict:
        return Conflict(
            effect=effect,  # type: ignore[arg-type]  # one of Effect, from above
            certain=effect == "raises",
            node=self.graph.names[node],
            saved=saved.name,
            saved_at=self._location(call),
            modified_at=self._location(wrote),
            expected_version=saved.saved_version,
            version=saved.version,
            saved_by=self._location(call, caller=True),
            modified_by=self._location(wrote, caller=True),
            function="" if wrote is None or self.trace is None else self.trace.calls[wrote].function,
            index=node,
        )

    def _location(self, call: int | None, caller: bool = False) -> Location | None:
        if call is None or self.trace is None:
            return None
        place = self.trace.calls[call].caller if caller else self.trace.calls[call].location
        return None if place is None else self.trace.locations[place]

    def _candidates(self, call: Call, saved: Saved) -> list[int]:
        """The tensors of a call that may be the saved one: by its memory, else by its place and shape."""
        assert self.trace is not None
        tensors = self.trace.tensors
        both = list(dict.fromkeys([*call.outputs, *call.inputs]))
        exact = [n for n in both if saved.memory is not None and tensors[n].storage == saved.memory[0]]
        if exact or saved.memory is not None:
            return exact
        side = call.outputs if saved.name.startswith(_OF_RESULTS) else call.inputs
        fit = [n for n in side if tensors[n].dtype == saved.dtype and tensors[n].shape == saved.shape]
        return fit or [n for n in both if tensors[n].dtype == saved.dtype and tensors[n].shape == saved.shape]

    def _written_at(self, call: int | None, saved: Saved, counted: bool) -> int | None:
        """The first call after `call` that wrote to what it saved."""
        if call is None or self.trace is None:
            return None
        places = [(n, region_of(self.trace.tensors[n])) for n in self._candidates(self.trace.calls[call], saved)]
        if not places and saved.memory is not None:
            memory, start, stop = saved.memory
            return self._first(memory, Region(start, stop), call, None)
        for number, region in places:
            storage = self.trace.tensors[number].storage
            if storage is None:
                continue
            wrote = self._first(storage, region, call, number if counted else None)
            if wrote is None and counted:
                wrote = self._first(storage, None, call, number)
            if wrote is not None:
                return wrote
        return None

    def _first(self, storage: int, region: Region | None, after: int, counter: int | None) -> int | None:
        """The first write to a region after a call; with `counter`, one that the counter of that tensor saw."""
        for index, write in self.writes.get(storage, ()):
            if index <= after:
                continue
            if counter is not None and (not write.counted or self.counters[write.tensor] != self.counters[counter]):
                continue
            if region is None or overlap(region_of(write, write.shape), region):
                return index
        return None

    def _detached_at(self, call: int | None) -> int | None:
        if call is None or self.trace is None:
            return None
        known = self.trace.calls[call]
        for number in (*known.inputs, *known.outputs):
            for index in self.severed.get(number, ()):
                if index > call:
                    return index
        return None

    def _of_checkpoint(self, node: int, saved: Saved, call: int) -> Conflict | None:
        """The conflict of a node in a checkpoint, which backward runs again on what was overwritten meanwhile."""
        assert self.trace is not None
        made = self.trace.calls[call]
        place = _PLACES.get(saved.name)
        if place is not None and short(made) in _SUM_FIRST:
            place += 1
        if place is None or place >= len(made.inputs):
            return None
        number = made.inputs[place]
        if self.remade.get(number) == self.checkpointed[call]:
            return None
        severed = next((index for index in self.severed.get(number, ()) if index > call), None)
        if severed is not None:
            return self._conflict(node, saved, "raises", call, severed)
        tensor = self.trace.tensors[number]
        if tensor.storage is None:
            return None
        wrote = self._first(tensor.storage, None, call, number)
        if wrote is not None:
            return self._conflict(node, saved, "raises", call, wrote)
        wrote = self._first(tensor.storage, region_of(tensor), call, None)
        return None if wrote is None else self._conflict(node, saved, "wrong gradient", call, wrote)

    def _of_hidden(self, node: int) -> Conflict | None:
        """The conflict of a node that does not show what it saves."""
        name = self.graph.names[node]
        call = self.calls.get(node)
        if call is None or self.trace is None or not (name == "CopySlices" or "oreach" in name):
            return None
        made = self.trace.calls[call]
        function = short(made).removeprefix("_foreach_").rstrip("_")
        kept: list[int] = []
        if function in _KEEP_RESULT:
            kept = list(made.outputs)
        elif name == "CopySlices" and function in _KEEP_OTHERS:
            kept = [n for n in made.inputs if n not in made.outputs]
        elif name != "CopySlices" and function in _KEEP_INPUTS:
            kept = list(made.inputs)
        for number in kept:
            region, storage = region_of(self.trace.tensors[number]), self.trace.tensors[number].storage
            if storage is None:
                continue
            saved = Saved(name="result" if function in _KEEP_RESULT else "self")
            wrote = self._first(storage, None, call, number)
            if wrote is not None:
                return self._conflict(node, saved, "raises", call, wrote)
            wrote = self._first(storage, region, call, None)
            if wrote is not None:
                return self._conflict(node, saved, "wrong gradient", call, wrote)
        return None


def calls_of_nodes(graph: Graph, trace: Trace) -> dict[int, int]:
    """For each function node of a graph the innermost call that made it, where one is known."""
    spans = sorted(
        (call.sequence[0], -call.sequence[1], index)
        for index, call in enumerate(trace.calls)
        if call.sequence[0] < call.sequence[1]
    )
    nodes = sorted(
        (number, node)
        for node, number in enumerate(graph.sequence_nrs)
        if number >= 0 and graph.kinds[node] == "function"
    )
    found: dict[int, int] = {}
    around: list[tuple[int, int]] = []  # the calls that the number lies in, innermost last
    place = 0
    for number, node in nodes:
        while place < len(spans) and spans[place][0] <= number:
            start, minus_stop, index = spans[place]
            while around and around[-1][0] <= start:
                around.pop()
            around.append((-minus_stop, index))
            place += 1
        while around and around[-1][0] <= number:
            around.pop()
        if around:
            found[node] = around[-1][1]
    return found
