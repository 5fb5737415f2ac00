"""Programs with tensors that have no memory of their own: sparse, jagged, wrapped by a transform."""

from __future__ import annotations

import copy

import torch
import torch.nn.functional as F
from torch import nn

from tests.causes.case import Build, Case, Step, marks, weights
from tests.causes.overwritten import Overwritten

SPARSE: list[Case] = []
OVERWRITTEN: list[Overwritten] = []
D = torch.float64


def sparse(*kinds: str, build: Build | None = None, **verdicts: str):
    """Register a program with its verdicts, and the kinds of its cuts."""

    def register(step: Step) -> Step:
        SPARSE.append(Case(step, build or weights(*verdicts), verdicts, frozenset(kinds), False, marks(step)))
        return step

    return register


def overwritten(effect: str):
    """Register a program with a write to what was saved."""

    def register(step):
        OVERWRITTEN.append(Overwritten(step, weights("w", "v"), effect, "", marks(step)))
        return step

    return register


def places():
    return torch.tensor([[0, 1, 2, 3], [1, 2, 3, 0]])


def rows():
    return torch.tensor([0, 1, 2, 3, 4]), torch.tensor([1, 2, 3, 0])


def zeros():
    return torch.zeros(4, dtype=D)


def counted():
    """A matrix that tells the columns of a sparse one apart."""
    return torch.arange(4, dtype=D)[:, None].expand(4, 2) + 1


class _SparseWeight(nn.Module):
    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.randn(4, 4, dtype=D).to_sparse())
        self.v = nn.Parameter(torch.randn(4, 4, dtype=D))


# the values are those of the vector, and what is written to the one is written to the other


@sparse("detach", w="unused", v="cut")
def vector_overwritten(m):
    a = m.w[0].detach().clone()
    s = torch.sparse_coo_tensor(places(), a, (4, 4))
    a.copy_(m.v[0].detach())  # CUT
    return (s @ counted()).sum()


@sparse("detach", w="unused", v="cut")
def vector_of_compressed_rows_overwritten(m):
    a = m.w[0].detach().clone()
    s = torch.sparse_csr_tensor(*rows(), a, (4, 4))
    a.copy_(m.v[0].detach())  # CUT
    return (s @ counted()).sum()


@sparse("detach", w="gradient", v="cut")
def values_given(m):
    s = torch.sparse_coo_tensor(places(), zeros(), (4, 4))
    s._values().copy_(m.v[0].detach())  # CUT
    return (s @ counted()).sum() + m.w.sum()


@sparse("detach", w="gradient", v="cut")
def transposed_rows_given(m):
    s = torch.sparse_csr_tensor(*rows(), zeros(), (4, 4))
    t = s.t()
    s.values().copy_(m.v[0].detach())  # CUT
    return (t @ counted()).sum() + m.w.sum()


@sparse("detach", w="gradient", v="cut")
def one_value_given(m):
    s = torch.sparse_coo_tensor(places(), zeros(), (4, 4), is_coalesced=True)
    s.values()[1] = m.v[0, 0].detach()  # CUT
    return (s @ counted()).sum() + m.w.sum()


@sparse(w="unused", v="gradient")
def values_zeroed(m):
    s = torch.sparse_coo_tensor(places(), m.w[0].detach().clone(), (4, 4))
    s._values().zero_()
    return (s @ counted()).sum() + m.v.sum()


@sparse(w="unused", v="gradient")
def rows_zeroed(m):
    a = m.w[0].detach().clone()
    torch.sparse_csr_tensor(*rows(), a, (4, 4)).zero_()
    return a.sum() + m.v.sum()


@sparse("detach", w="unused", v="cut")
def values_behind_data_given(m):
    s = torch.sparse_coo_tensor(places(), m.w[0].detach().clone(), (4, 4))
    s.data._values().copy_(m.v[0].detach())  # CUT
    return torch.sparse.sum(s)


@sparse("detach", w="cut", v="unused")
def values_in_a_column(m):
    a = torch.stack([m.w[0].detach(), zeros()], 1)  # CUT
    s = torch.sparse_coo_tensor(places(), a[:, 0], (4, 4))
    a[:, 1] = m.v[0].detach()
    return torch.sparse.sum(s)


@sparse("detach", w="unused", v="cut")
def copied_and_given(m):
    s = copy.deepcopy(torch.sparse_coo_tensor(places(), m.w[0].detach(), (4, 4)))
    s._values().copy_(m.v[0].detach())  # CUT
    return torch.sparse.sum(s)


@sparse("data", w="gradient", v="cut")
def vector_given_what_has_a_gradient(m):
    a = zeros()
    s = torch.sparse_csr_tensor(*rows(), a, (4, 4))
    a.copy_(m.v[0])  # CUT
    return (s @ counted()).sum() + m.w.sum()


@sparse("detach", w="gradient", v="cut")
def blocks_given(m):
    s = torch.zeros(4, 4, dtype=D).fill_diagonal_(1).to_sparse_bsr((2, 2))
    s.values()[0] = m.v[:2, :2].detach()  # CUT
    return s.to_dense().sum() + m.w.sum()


@sparse("detach", w="gradient", v="cut")
def columns_given(m):
    s = torch.eye(4, dtype=D).to_sparse_csc()
    s.values().add_(m.v[0].detach())  # CUT
    return (s @ counted()).sum() + m.w.sum()


# what is written to a sparse tensor mostly makes new values


@sparse("detach", w="gradient", v="cut")
def values_of_a_product_given(m):
    s = torch.sparse_coo_tensor(places(), zeros(), (4, 4))
    s.mul_(2)
    s._values().add_(m.v[0].detach())  # CUT
    return (s @ counted()).sum() + m.w.sum()


@sparse(w="gradient", v="unused")
def vector_that_a_product_left(m):
    a = zeros()
    s = torch.sparse_coo_tensor(places(), a, (4, 4), is_coalesced=True)
    s.mul_(2)
    s._values().add_(m.v[0].detach())
    return a.sum() + m.w.sum()


@sparse("detach", w="gradient", v="cut")
def vector_that_a_quotient_kept(m):
    a = zeros()
    s = torch.sparse_coo_tensor(places(), a, (4, 4), is_coalesced=True)
    s.div_(2)
    s._values().add_(m.v[0].detach())  # CUT
    return a.sum() + m.w.sum()


@sparse("detach", w="cut", v="cut")
def sum_of_two(m):
    s = torch.sparse_coo_tensor(places(), m.w[0].detach(), (4, 4))  # CUT
    s.add_(torch.sparse_coo_tensor(places(), m.v[0].detach(), (4, 4)))  # CUT
    return torch.sparse.sum(s)


@sparse("detach", w="unused", v="cut")
def copied_into(m):
    s = torch.sparse_coo_tensor(places(), m.w[0].detach(), (4, 4))
    s.copy_(torch.sparse_coo_tensor(places(), m.v[0].detach(), (4, 4)))  # CUT
    return torch.sparse.sum(s)


@sparse(w="unused", v="gradient")
def all_zeroed(m):
    s = torch.sparse_coo_tensor(places(), m.w[0].detach().clone(), (4, 4))
    s.zero_()
    return torch.sparse.sum(s) + m.v.sum()


@sparse(w="unused", v="gradient")
def emptied(m):
    s = torch.sparse_coo_tensor(places(), m.w[0].detach(), (4, 4))
    s.sparse_resize_and_clear_((4, 4), 2, 0)
    return torch.sparse.sum(s) + m.v.sum()


@sparse("no_grad", w="gradient", v="cut")
def added_under_no_grad(m):
    s = torch.sparse_coo_tensor(places(), m.w[0], (4, 4)) * 1
    with torch.no_grad():  # OFF
        s.add_(torch.sparse_coo_tensor(places(), m.v[0], (4, 4)))  # CUT
    return torch.sparse.sum(s)


@sparse("detach", w="gradient", v="cut")
def moving_average(m):
    s = torch.sparse_coo_tensor(places(), zeros(), (4, 4))
    for _ in range(3):
        s.mul_(0.9).add_(torch.sparse_coo_tensor(places(), m.v[0].detach(), (4, 4)), alpha=0.1)  # CUT
    return (s @ m.w).sum()


@sparse(w="gradient", v="unused")
def detached_goes_its_own_way(m):
    s = torch.sparse_coo_tensor(places(), zeros(), (4, 4), is_coalesced=True)
    d = s.detach()
    d.mul_(2)
    d.add_(torch.sparse_coo_tensor(places(), m.v[0].detach(), (4, 4)))
    return torch.sparse.sum(s) + m.w.sum()


@sparse(w="gradient", v="gradient", build=_SparseWeight)
def sparse_weight_after_a_step(m):
    torch.sparse.sum(m.w * 1).backward()
    torch.optim.SGD([m.w], lr=0.1).step()
    m.w.grad = None
    return torch.sparse.mm(m.w, m.v).sum()


@sparse("detach", w="cut", v="gradient", build=_SparseWeight)
def sparse_weight_detached_after_a_step(m):
    torch.sparse.sum(m.w * 1).backward()
    torch.optim.SGD([m.w], lr=0.1).step()
    m.w.grad = None
    return torch.sparse.mm(m.w.detach(), m.v).sum()  # CUT


@sparse("no_grad", w="gradient", v="cut", build=_SparseWeight)
def sparse_weight_given_another(m):
    with torch.no_grad():  # OFF
        m.w.copy_(m.v.to_sparse())  # CUT
    return torch.sparse.sum(m.w * 2)


@sparse("grad", w="cut", v="gradient")
def sparse_gradient_as_a_value(m):
    F.embedding(torch.tensor([0, 2]), m.w, sparse=True).square().sum().backward()
    g = m.w.grad  # CUT
    m.w.grad = None
    return torch.sparse.sum(g) + m.v.sum()


@sparse("detach", w="cut", v="gradient")
def detached_after_a_sparse_step(m):
    optimizer = torch.optim.SparseAdam([m.w])
    F.embedding(torch.tensor([0, 2]), m.w, sparse=True).square().sum().backward()
    optimizer.step()
    m.w.grad = None
    return (F.embedding(torch.tensor([0, 2]), m.w.detach()) @ m.v).sum()  # CUT


# where the values stand is another value


@sparse(w="unused", v="gradient")
def indices_that_were_given(m):
    i = torch.sparse_coo_tensor(places(), m.w[0], (4, 4)).coalesce().indices()
    return m.v[i[0], i[1]].sum()


@sparse(w="unused", v="gradient")
def rows_that_were_given(m):
    s = torch.sparse_csr_tensor(*rows(), m.w[0], (4, 4))
    return m.v[s.col_indices()].sum() + m.v[0] @ s.crow_indices()[1:].to(D)


@sparse("non_differentiable", w="cut", v="gradient")
def indices_that_were_found(m):
    i = F.relu(m.w).to_sparse().indices()  # CUT
    return m.v[i[0], i[1]].sum()


@sparse("non_differentiable", w="cut", v="cut")
def indices_from_a_weight(m):
    i = torch.stack([torch.arange(4), m.v.argmax(0)])  # CUT
    s = torch.sparse_coo_tensor(i, zeros(), (4, 4), is_coalesced=True)
    s._values().copy_(m.w.argmin(0))  # CUT
    return (s @ counted()).sum()


@sparse(w="gradient", v="unused")
def values_beside_indices_from_a_weight(m):
    i = torch.stack([torch.arange(4), m.v.argmax(0)])
    return torch.sparse_coo_tensor(i, m.w[0], (4, 4), is_coalesced=True).values().sum()


@sparse("non_differentiable", w="cut", v="cut")
def indices_overwritten(m):
    i = places()
    s = torch.sparse_coo_tensor(i, m.w.argmin(0), (4, 4))  # CUT
    i[1].copy_(m.v.argmax(0))  # CUT
    return (s.to(D) @ counted()).sum()


@sparse("detach", w="cut", v="gradient")
def pattern_that_is_left_when_the_values_are_gone(m):
    s = F.relu(m.w).to_sparse_csr().detach()  # CUT
    s.values().fill_(1.0)
    return (s @ m.v).sum()


@sparse(w="gradient", v="unused")
def mask_whose_values_are_not_read(m):
    mask = torch.sparse_coo_tensor(places(), m.v[0].detach(), (4, 4), is_coalesced=True)
    return torch.sparse.sum(m.w.sparse_mask(mask))


@sparse("non_differentiable", w="gradient", v="cut")
def mask_that_a_weight_gives(m):
    return torch.sparse.sum(m.w.sparse_mask(F.relu(m.v).to_sparse()))  # CUT


@sparse("detach", w="unused", v="cut")
def values_put_beside_the_indices_of_another(m):
    s = torch.sparse_coo_tensor(places(), m.w[0], (4, 4), is_coalesced=True)
    t = torch.sparse_coo_tensor(s.indices(), m.v[0].detach(), (4, 4))  # CUT
    return (t @ counted()).sum()


# through


@sparse("no_grad", w="cut", v="gradient")
def made_under_no_grad(m):
    with torch.no_grad():  # OFF
        s = torch.sparse_coo_tensor(places(), m.w[0], (4, 4))  # CUT
    return torch.sparse.mm(s, m.v).sum()


@sparse(w="gradient", v="gradient")
def operations(m):
    s = torch.sparse.softmax(m.w.to_sparse(), 1)
    s.detach().t().coalesce()
    return torch.sparse.mm(s, m.v).sum() + s.to_dense().sum() + torch.sparse.sum(s.coalesce())


@sparse("detach", w="gradient", v="cut")
def jagged_vector_given(m):
    b = torch.zeros(4, 4, dtype=D)
    n = torch.nested.nested_tensor_from_jagged(b, torch.tensor([0, 2, 4]))
    b.copy_(m.v.detach())  # CUT
    return n.sin().values().sum() + m.w.sum()


@sparse(w="gradient", v="unused")
def jagged_zeroed(m):
    b = m.v.detach().clone()
    torch.nested.nested_tensor_from_jagged(b, torch.tensor([0, 2, 4])).zero_()
    return b.sum() + m.w.sum()


# opaque


@sparse("detach", w="unused", v="cut")
def opaque_alias_given(m):
    a = m.w.detach().float().to_mkldnn()
    b = a.detach()
    a.copy_(m.v.detach().float().to_mkldnn())  # CUT
    return b.to_dense().sum()


@sparse("detach", w="cut", v="cut")
def opaque_alias_added_to(m):
    a = m.w.detach().float().to_mkldnn()  # CUT
    b = a.reshape(16)
    a.add_(m.v.detach().float().to_mkldnn())  # CUT
    return b.to_dense().sum()


# within a transform


@sparse("detach", w="unused", v="cut")
def given_within_vmap(m):
    def each(a, b):
        y = a * 1
        y.detach().copy_(b)
        return y

    return torch.func.vmap(each)(m.w.detach(), m.v.detach()).sum()  # CUT


@sparse("detach", w="cut", v="cut")
def view_given_within_vmap(m):
    def each(a, b):
        y = a * 1
        y[0].copy_(b[0])
        return y

    return torch.func.vmap(each)(m.w.detach(), m.v.detach()).sum()  # CUT


@sparse("detach", w="unused", v="cut")
def base_given_within_vmap(m):
    def each(a, b):
        y = a * 1
        z = y.view(2, 2)
        y.copy_(b)
        return z

    return torch.func.vmap(each)(m.w.detach(), m.v.detach()).sum()  # CUT


@sparse("detach", w="gradient", v="cut")
def part_given_within_a_gradient(m):
    def loss(a, b):
        y = a * 1
        y.detach()[1:].copy_(b[1:])
        return (y * y).sum()

    return torch.func.grad(loss)(m.w, m.v.detach()).sum()  # CUT


# what was saved


@overwritten("raises")
def values_scaled(m, write):
    s = torch.sparse_coo_tensor(places(), m.w[0].detach().clone(), (4, 4))
    loss = torch.sparse.mm(s, m.v).sum()  # SAVED
    if write:
        s._values().mul_(3)  # WROTE
    return loss


@overwritten("raises")
def result_overwritten(m, write):
    s = torch.sparse_coo_tensor(places(), m.w[0], (4, 4))  # SAVED
    if write:
        s._values().mul_(1)  # WROTE
    return (s @ counted()).sum()


@overwritten("raises")
def given_other_values(m, write):
    s = torch.sparse_coo_tensor(places(), m.w[0].detach().clone(), (4, 4))
    loss = torch.sparse.mm(s, m.v).sum()  # SAVED
    if write:
        s.mul_(3)  # WROTE
    return loss


@overwritten("raises")
def given_no_values(m, write):
    s = torch.sparse_coo_tensor(places(), m.w[0].detach().clone(), (4, 4))
    loss = torch.sparse.mm(s, m.v).sum()  # SAVED
    if write:
        s.zero_()  # WROTE
    return loss


@overwritten("raises")
def alias_given_other_values(m, write):
    s = m.w.to_sparse()
    loss = torch.sparse.mm(s, m.v).sum()  # SAVED
    if write:
        s.detach().mul_(3)  # WROTE
    return loss


@overwritten("raises")
def indices_of_the_result_overwritten(m, write):
    s = torch.sparse_coo_tensor(places(), m.w[0], (4, 4))  # SAVED
    if write:
        s._indices().zero_()  # WROTE
    return (s @ counted()).sum()


@overwritten("raises")
def rows_scaled(m, write):
    s = torch.sparse_csr_tensor(*rows(), m.w[0].detach().clone(), (4, 4))
    loss = (s @ m.v).sum()  # SAVED
    if write:
        s.mul_(3)  # WROTE
    return loss


@overwritten("wrong gradient")
def vector_of_a_saved_one_scaled(m, write):
    a = m.w[0].detach().clone()
    s = torch.sparse_csr_tensor(*rows(), a, (4, 4))
    loss = (s @ m.v).sum()  # SAVED
    if write:
        a.mul_(3)  # WROTE
    return loss


@overwritten("wrong gradient")
def values_behind_data_scaled(m, write):
    s = m.w.to_sparse()
    loss = torch.sparse.mm(s, m.v).sum()  # SAVED
    if write:
        s.data.values().mul_(3)  # WROTE
    return loss


@overwritten("wrong gradient")
def indices_of_a_saved_one_overwritten(m, write):
    i = places()
    s = torch.sparse_coo_tensor(i, m.w[0], (4, 4))  # SAVED
    loss = (s @ counted()).sum()
    if write:
        i[1].zero_()  # WROTE
    return loss


@overwritten("wrong gradient")
def vector_of_a_saved_jagged_one_scaled(m, write):
    b = m.w.detach().clone()
    n = torch.nested.nested_tensor_from_jagged(b, torch.tensor([0, 2, 4]))
    loss = (n * torch.nested.nested_tensor_from_jagged(m.v, n.offsets())).values().sum()  # SAVED
    if write:
        b.data.mul_(2)  # WROTE
    return loss


@overwritten("raises")
def opaque_scaled(m, write):
    a = m.w.detach().float().to_mkldnn()
    loss = (m.v.float().to_mkldnn() * a).to_dense().sum()  # SAVED
    if write:
        a.mul_(2)  # WROTE
    return loss


@overwritten("")
def data_goes_its_own_way(m, write):
    s = torch.sparse_coo_tensor(places(), m.w[0].detach().clone(), (4, 4))
    loss = torch.sparse.mm(s, m.v).sum()
    if write:
        s.data.mul_(2)
    return loss


@overwritten("")
def vector_of_one_that_has_other_values(m, write):
    a = m.w[0].detach().clone()
    s = torch.sparse_coo_tensor(places(), a, (4, 4))
    s.mul_(1)
    loss = torch.sparse.mm(s, m.v).sum()
    if write:
        a.add_(1)
    return loss
