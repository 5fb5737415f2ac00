"""Real models, small and at full depth, as graphs to fold."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from graphvis.analysis.joining import join
from graphvis.live import walker
from graphvis.live.recorder import record
from graphvis.model import Graph

D = 16


class MLP(nn.Module):
    def __init__(self, probe: bool) -> None:
        super().__init__()
        self.fc, self.proj = nn.Linear(D, 2 * D), nn.Linear(2 * D, D)
        self.probe = probe

    def forward(self, x: Tensor) -> Tensor:
        h = self.proj(functional.gelu(self.fc(x)))
        return h.detach() if self.probe else h


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.qkv, self.proj = nn.Linear(D, 3 * D), nn.Linear(D, D)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (part.view(2, 6, 2, D // 2).transpose(1, 2) for part in self.qkv(x).split(D, dim=2))
        y = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.proj(y.transpose(1, 2).reshape(2, 6, D))


class Block(nn.Module):
    def __init__(self, probe: bool) -> None:
        super().__init__()
        self.ln_1, self.attn, self.ln_2, self.mlp = nn.LayerNorm(D), Attention(), nn.LayerNorm(D), MLP(probe)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.ln_1(x))
        return x + self.mlp(self.ln_2(x))


class GPT(nn.Module):
    """A GPT, with a detach in the blocks of `cut`."""

    def __init__(self, layers: int = 12, cut: tuple[int, ...] = ()) -> None:
        super().__init__()
        self.wte, self.wpe = nn.Embedding(50, D), nn.Embedding(6, D)
        self.h = nn.ModuleList(Block(i in cut) for i in range(layers))
        self.ln_f, self.head = nn.LayerNorm(D), nn.Linear(D, 50, bias=False)

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.wte(tokens) + self.wpe(torch.arange(6))
        for block in self.h:
            x = block(x)
        return functional.cross_entropy(self.head(self.ln_f(x)).flatten(0, 1), tokens.flatten())


class Unrolled(nn.Module):
    """An LSTM written by hand; every `cut`-th step is detached from the one before."""

    def __init__(self, steps: int, cut: int = 0) -> None:
        super().__init__()
        self.emb, self.ih, self.hh, self.head = (
            nn.Embedding(50, D), nn.Linear(D, 4 * D), nn.Linear(D, 4 * D), nn.Linear(D, 50),
        )  # fmt: skip
        self.steps, self.cut = steps, cut

    def forward(self, tokens: Tensor) -> Tensor:
        h = c = torch.zeros(2, D)
        seen, states = self.emb(tokens), []
        for step in range(self.steps):
            if self.cut and step % self.cut == 0:
                h, c = h.detach(), c.detach()
            i, f, g, o = (self.ih(seen[:, step % 6]) + self.hh(h)).chunk(4, 1)
            c = f.sigmoid() * c + i.sigmoid() * g.tanh()
            h = o.sigmoid() * c.tanh()
            states.append(h)
        return self.head(torch.stack(states, 1)).square().mean()


class Double(nn.Module):
    def __init__(self, into: int, out: int) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(into, out, 3, padding=1), nn.BatchNorm2d(out), nn.ReLU(),
            nn.Conv2d(out, out, 3, padding=1), nn.BatchNorm2d(out), nn.ReLU(),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)


class UNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inc, self.down1, self.down2 = Double(3, 4), Double(4, 8), Double(8, 12)
        self.up2, self.dec2 = nn.ConvTranspose2d(12, 8, 2, 2), Double(16, 8)
        self.up1, self.dec1 = nn.ConvTranspose2d(8, 4, 2, 2), Double(8, 4)
        self.out = nn.Conv2d(4, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        a = self.inc(x)
        b = self.down1(functional.max_pool2d(a, 2))
        y = self.down2(functional.max_pool2d(b, 2))
        y = self.dec2(torch.cat([b, self.up2(y)], 1))
        y = self.dec1(torch.cat([a, self.up1(y)], 1))
        return self.out(y).square().mean()


def tokens() -> Tensor:
    return torch.randint(0, 50, (2, 6), generator=torch.Generator().manual_seed(1))


def graph_of(model: nn.Module, loss: Callable[[], Any], *, traced: bool = True, prefix: str = "") -> Graph:
    """The graph behind what `loss` gives, joined with the recording of it, or a mere walk."""
    named = {prefix + name: parameter for name, parameter in model.named_parameters()}
    with record() as trace:
        found = loss()
    if not traced:
        return walker.walk(found, named)
    trace.pause()
    trace.name(named)
    walk = walker.walk(found, named, also=named, number=trace.number, memory=trace.memory)
    return join(walk, trace.freeze())


def gpt(layers: int = 12, cut: tuple[int, ...] = (), *, traced: bool = True, prefix: str = "") -> Graph:
    torch.manual_seed(0)
    model = GPT(layers, cut)
    return graph_of(model, lambda: model(tokens()), traced=traced, prefix=prefix)


def unrolled(steps: int = 200, cut: int = 0, *, traced: bool = True) -> Graph:
    model = Unrolled(steps, cut)
    return graph_of(model, lambda: model(tokens()), traced=traced)


def unet() -> Graph:
    model = UNet()
    return graph_of(model, lambda: model(torch.randn(1, 3, 16, 16)))
