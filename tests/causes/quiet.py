"""Sound training code that must raise no alarm: every parameter meant to learn gets its gradient, nothing conflicts."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.checkpoint import checkpoint
from torch.utils.data import DataLoader, TensorDataset

from tests.causes.case import Build, Case, Step, weights
from tests.causes.programs import x

QUIET: list[Case] = []


def quiet(build: Build | None = None, **verdicts: str):
    """Register a program; every parameter that `verdicts` does not name gets its gradient."""

    def register(step: Step) -> Step:
        builder = build or weights("w", "v")
        names = {name: "gradient" for name, _ in builder().named_parameters()}
        for name, status in verdicts.items():
            hit = [full for full in names if full.startswith(name.replace("__", "."))]
            assert hit
            names.update(dict.fromkeys(hit, status))
        QUIET.append(Case(step, builder, names))
        return step

    return register


class _Doubled(torch.autograd.Function):
    @staticmethod
    def forward(ctx, value):
        return value * 2

    @staticmethod
    def backward(ctx, grad):
        return grad * 2


def _mlp() -> nn.Sequential:
    return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 4))


def batch(rows: int = 6) -> torch.Tensor:
    return torch.linspace(-1, 2, 4 * rows).reshape(rows, 4)


@quiet()
def straight_through(m):
    h = x() @ m.w
    h = h + (h.round() - h).detach()
    return (h @ m.v).sum()


@quiet()
def straight_through_by_data(m):
    h = x() @ m.w
    q = h + (torch.sign(h) - h).data
    return (q @ m.v).sum()


@quiet()
def gumbel_softmax(m):
    h = F.gumbel_softmax(x() @ m.w, hard=True)
    return (h @ m.v).sum()


@quiet()
def zeros_like_and_shapes(m):
    h = x() @ m.w
    h = h + torch.zeros_like(h) + h.new_ones(h.shape)
    return (h.view_as(h) @ m.v).sum() / h.numel()


@quiet()
def detach_for_logging(m):
    h = x() @ m.w
    loss = (h @ m.v).sum()
    log = {"loss": loss.item(), "norm": h.detach().norm().item(), "grad_free": float(loss)}
    assert log["loss"] == log["grad_free"]
    h.detach().cpu().numpy().mean()
    return loss


@quiet()
def metrics_under_no_grad(m):
    logits = x() @ m.w @ m.v
    with torch.no_grad():
        accuracy = (logits.argmax(-1) == torch.tensor([1, 2])).double().mean()
    assert accuracy >= 0
    return F.cross_entropy(logits, torch.tensor([1, 2]))


@quiet()
def input_of_a_reentrant_checkpoint_that_has_another_way(m):
    h = x() @ m.w
    out = checkpoint(lambda value: (value @ m.v).sin(), h, use_reentrant=True)
    side = h * 2
    h.detach_()
    return out.sum() + side.sum()


@quiet()
def input_of_a_reentrant_checkpoint_that_requires_grad_again(m):
    h = x() @ m.w
    out = checkpoint(lambda value: (value @ m.v).sin(), h, use_reentrant=True)
    h.detach_().requires_grad_()
    return out.sum()


class _Twin(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = _mlp()
        self.target = _mlp()


@quiet(build=_Twin, target="cut")
def target_network(m):
    with torch.no_grad():
        goal = m.target(batch())
    return F.mse_loss(m.net(batch()), goal)


@quiet(build=_Twin, target="cut")
def target_network_by_detach(m):
    return F.mse_loss(m.net(batch()), m.target(batch()).detach())


@quiet(build=_Twin, target="cut")
def ema_teacher(m):
    for _ in range(2):
        with torch.no_grad():
            goal = m.target(batch())
        loss = F.mse_loss(m.net(batch()), goal)
        loss.backward(retain_graph=True)
        with torch.no_grad():
            for ours, theirs in zip(m.target.parameters(), m.net.parameters(), strict=True):
                ours.mul_(0.9).add_(theirs, alpha=0.1)
        m.zero_grad()
    with torch.no_grad():
        goal = m.target(batch())
    return F.mse_loss(m.net(batch()), goal)


@quiet(build=lambda: nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(inplace=True), nn.Linear(8, 4)))
def batch_norm_and_in_place_relu(m):
    m.train()
    return m(batch()).square().mean()


def _convolutions() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(inplace=True), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(18, 3)
    )


@quiet(build=_convolutions)
def convolutions(m):
    images = torch.linspace(-1, 1, 2 * 64).reshape(2, 1, 8, 8).sin()
    return F.cross_entropy(m(images), torch.tensor([0, 2]))


@quiet(build=lambda: nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.5), nn.Linear(8, 4), nn.Dropout(0.1, inplace=True)))
def dropout(m):
    return m(batch()).square().mean()


@quiet()
def checkpoint_non_reentrant(m):
    def block(value):
        return (value @ m.w).tanh()

    h = checkpoint(block, x(), use_reentrant=False)
    return (h @ m.v).sum()


@quiet()
def checkpoint_reentrant_with_a_live_input(m):
    def block(value):
        return (value @ m.w).tanh()

    h = checkpoint(block, (x() + m.v[:2]).requires_grad_(), use_reentrant=True)
    return (h @ m.v).sum()


@quiet()
def checkpoint_reentrant_with_a_metric_under_no_grad(m):
    def block(value):
        h = (value @ m.w).tanh()
        with torch.no_grad():
            assert (value @ m.v).abs().max() >= 0
            scale = (value @ m.v).std()
        return h @ m.v / scale

    return checkpoint(block, x().requires_grad_(), use_reentrant=True).sum()


@quiet()
def checkpoint_reentrant_in_another(m):
    def outer(value):
        return checkpoint(lambda value: value @ m.v, (value @ m.w).tanh(), use_reentrant=True)

    with torch.no_grad():
        start = x() * 2
    return checkpoint(outer, start.requires_grad_(), use_reentrant=True).sum()


@quiet()
def clipping_and_steps(m):
    optimizer = torch.optim.AdamW(m.parameters(), lr=1e-3)
    for _ in range(2):
        optimizer.zero_grad()
        loss = (x() @ m.w @ m.v).square().sum()
        loss.backward()
        nn.utils.clip_grad_norm_(m.parameters(), 0.5)
        optimizer.step()
    return (x() @ m.w @ m.v).square().sum()


@quiet(build=lambda: nn.ModuleDict({"rnn": nn.LSTM(4, 5, num_layers=2, batch_first=True), "head": nn.Linear(5, 1)}))
def lstm(m):
    out, _ = m["rnn"](batch().reshape(2, 3, 4))
    return m["head"](out[:, -1]).square().mean()


@quiet(build=lambda: nn.ModuleDict({"cell": nn.GRUCell(4, 5), "head": nn.Linear(5, 1)}))
def truncated_bptt(m):
    state = torch.zeros(2, 5)
    loss = torch.zeros(())
    for step in range(4):
        state = m["cell"](batch().reshape(3, 2, 4)[step % 3], state)
        loss = loss + m["head"](state).square().mean()
        if step == 1:
            state = state.detach()
    return loss


@quiet(build=lambda: nn.TransformerEncoder(nn.TransformerEncoderLayer(4, 2, 8, batch_first=True), 2))
def transformer_encoder(m):
    m.train()
    mask = nn.Transformer.generate_square_subsequent_mask(3)
    return m(batch().reshape(2, 3, 4), mask=mask).square().mean()


@quiet(build=_mlp)
def autocast(m):
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = m(batch())
        return F.mse_loss(out.float(), batch())


@quiet(build=_mlp)
def data_loader(m):
    loader = DataLoader(TensorDataset(batch(), batch()), batch_size=3, shuffle=True)
    total = torch.zeros(())
    for inputs, goals in loader:
        total = total + F.mse_loss(m(inputs), goals)
    return total


@quiet(build=_mlp)
def gradient_accumulation(m):
    for part in batch().split(2)[:-1]:
        (m(part).square().mean() / 3).backward()
    return m(batch()[-2:]).square().mean() / 3


class _TwoHeads(nn.Module):
    def __init__(self):
        super().__init__()
        self.actor = _mlp()
        self.critic = _mlp()


@quiet(build=_TwoHeads)
def actor_critic(m):
    policy = torch.distributions.Categorical(logits=m.actor(batch()))
    value = m.critic(batch()).mean(-1)
    action = policy.sample()
    advantage = (1.0 - value).detach()
    return -(policy.log_prob(action) * advantage).mean() + (1.0 - value).square().mean()


@quiet(build=_TwoHeads)
def reparameterised_sample(m):
    mean, spread = m.actor(batch()), F.softplus(m.critic(batch()))
    return torch.distributions.Normal(mean, spread).rsample().square().mean()


class _Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(10, 4)
        self.head = nn.Linear(4, 10, bias=False)
        self.head.weight = self.embed.weight


@quiet(build=_Tied)
def tied_weights(m):
    tokens = torch.tensor([[1, 2, 3]])
    logits = m.head(m.embed(tokens))
    return F.cross_entropy(logits[0], tokens[0])


@quiet(build=lambda: nn.utils.parametrizations.weight_norm(nn.Linear(4, 4)))
def weight_norm(m):
    return m(batch()).square().mean()


@quiet(build=lambda: nn.utils.parametrizations.spectral_norm(nn.Linear(4, 4)))
def spectral_norm(m):
    m.train()
    return m(batch()).square().mean()


class _Quantiser(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder, self.decoder = nn.Linear(4, 4), nn.Linear(4, 4)
        self.codes = nn.Embedding(5, 4)


@quiet(build=_Quantiser, codes="cut")
def vector_quantiser_whose_codes_learn_by_ema(m):
    z = m.encoder(batch())
    index = torch.cdist(z, m.codes.weight).argmin(-1)
    q = m.codes(index)
    commitment = F.mse_loss(z, q.detach())
    q = z + (q - z).detach()
    return F.mse_loss(m.decoder(q), batch()) + commitment


@quiet(build=_Quantiser)
def vector_quantiser(m):
    z = m.encoder(batch())
    index = torch.cdist(z, m.codes.weight).argmin(-1)
    q = m.codes(index)
    losses = F.mse_loss(z, q.detach()) + F.mse_loss(q, z.detach())
    q = z + (q - z).detach()
    return F.mse_loss(m.decoder(q), batch()) + losses


@quiet(build=_TwoHeads)
def gradient_penalty(m):
    point = batch().clone().requires_grad_()
    score = m.critic(m.actor(point)).sum()
    (slope,) = torch.autograd.grad(score, point, create_graph=True)
    return score + (slope.norm(dim=-1) - 1).square().mean()


@quiet()
def functional_transforms(m):
    def loss_of(w):
        return (x() @ w).square().sum()

    return (x() @ m.w @ m.v).sum() + 0 * torch.func.grad(loss_of)(m.w.detach()).sum()


@quiet()
def indexed_and_scattered(m):
    h = x() @ m.w
    h[h < 0] = 0
    h = h.masked_fill(h > 5, 5)
    out = torch.zeros(2, 4, dtype=torch.float64).scatter_add(1, torch.tensor([[0, 1, 2, 3], [3, 2, 1, 0]]), h)
    return (out @ m.v).sum()


@quiet()
def function_of_a_view_whose_base_was_written_to(m):
    # Autograd makes the view's grad_fn anew inside apply, under a lock: a look at the view there would never return.
    base = torch.zeros(4, 4, dtype=torch.float64)
    view = base.t()
    base[1] = m.w[0]
    return (_Doubled.apply(view) @ m.v).sum()


@quiet()
def value_clamped_by_its_own_statistics(m):
    h = x() @ m.w
    h = (h - h.mean().detach()) / (h.std().detach() + 1e-6)
    return (h @ m.v).square().sum()


@quiet(build=_mlp)
def label_smoothing_with_soft_targets(m):
    logits = m(batch())
    with torch.no_grad():
        soft = F.one_hot(logits.argmax(-1), 4) * 0.9 + 0.025
    return -(soft * logits.log_softmax(-1)).sum(-1).mean()


@quiet(build=lambda: nn.MultiheadAttention(4, 2, batch_first=True))
def attention(m):
    out, weights_ = m(batch().reshape(2, 3, 4), batch().reshape(2, 3, 4), batch().reshape(2, 3, 4))
    return out.square().mean() + weights_.square().mean()
