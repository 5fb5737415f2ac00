"""Which of a call's arguments flow into which of its results, and into which part of one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from graphvis.analysis.cutting import NORMALISING, flowing
from graphvis.analysis.diagnosing.flow.ways import Result
from graphvis.analysis.diagnosing.regions import Runs
from graphvis.model import Call, TracedTensor

_EACH_ITS_OWN = frozenset({"broadcast_tensors", "meshgrid", "atleast_1d", "atleast_2d", "atleast_3d"})
_ATTENDING = "multi_head_attention_forward"
# How many states these are given.
_RECURRENT = {"lstm": 2, "gru": 1, "rnn_tanh": 1, "rnn_relu": 1}


def places_of(call: Call, name: str, result: Result, tensors: Sequence[TracedTensor]) -> Sequence[int]:
    """The places among a call's inputs from which a value flows into a result."""
    places, place = flowing(call), result.place
    if call.writes and name in NORMALISING:
        return _of_batch(call, places, result)
    if name == _ATTENDING and place == 1:
        return _of_weights(call, places, tensors)
    if name.startswith("_foreach_") or name in _EACH_ITS_OWN:
        count = len(call.outputs)
    elif name.startswith("_fused_"):
        count = next((at for at, on in enumerate(call.connected) if not on), 0)  # the parameters come first
    else:
        return places
    if count < 2:
        return places
    # Lists of the same length, and at the end perhaps a number for all.
    lists = len(call.inputs) // count * count
    return [at for at in places if at >= lists or at % count == place % count]


def _of_batch(call: Call, places: Sequence[int], result: Result) -> Sequence[int]:
    """What flows in a normalisation that trains: it takes the batch's statistics, and only notes the running ones."""
    if result.written:
        return [at for at in places if at == 0 or call.inputs[at] == result.number]
    running = {write.tensor for write in call.writes}
    return [at for at in places if call.inputs[at] not in running]


def _of_weights(call: Call, places: Sequence[int], tensors: Sequence[TracedTensor]) -> Sequence[int]:
    """What flows into the weights of an attention: not the values that it attends to, nor what becomes of them.

    Behind query, key and value come the weights that project them, as one or at the very end as three; then a row to
    add to the keys and one to the values; then a square matrix that projects the result, with its bias.
    """
    shapes = [tensors[number].shape for number in call.inputs]
    width = shapes[0][-1:]
    without = {2}
    rows = [at for at in range(3, len(shapes)) if shapes[at] == (1, 1, *width)]
    without.update(rows[1:2])
    projecting = next((at for at in range(3, len(shapes)) if shapes[at] == (*width, *width)), None)
    if projecting is not None:
        without.add(projecting)
        if shapes[projecting + 1 : projecting + 2] == [width]:
            without.add(projecting + 1)
    if (3 * width[0], *width) not in shapes[3:]:
        without.add(len(shapes) - 1)
    return [at for at in places if at not in without]


def rows_of(
    call: Call, name: str, result: Result, tensors: Sequence[TracedTensor]
) -> Iterator[tuple[Runs, Sequence[int]]]:
    """The last states of a recurrent network, layer by layer: their bytes, and the places from which values flow there.

    A layer's state is made of the weights of that layer and of those before it. Nothing comes of any other result.
    """
    states = _RECURRENT.get(name)
    if states is None or not result.place or len(call.outputs) != 1 + states:
        return
    output, state, whole = (tensors[number] for number in (call.outputs[0], call.outputs[1], result.number))
    rows = whole.shape[0] if len(whole.shape) == 3 else 0
    if rows < 2 or whole.strides or not state.shape[-1]:
        return
    first = 1 + states + (len(call.inputs) - states - 1) % rows  # packed sequences come with their lengths
    each, directions = (len(call.inputs) - first) // rows, max(output.shape[-1] // state.shape[-1], 1)
    if not each:
        return
    size = (whole.stop - whole.start) // rows
    for row in range(rows):
        start = whole.start + row * size
        of_row = [(at - first) // each for at in range(first, len(call.inputs))]
        weights = [first + i for i, of in enumerate(of_row) if of == row or of // directions < row // directions]
        yield ((start, start + size),), [*range(first), *weights]
