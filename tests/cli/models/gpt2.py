"""GPT-2 with the second block's input detached: the first block and the positions learn nothing

Built from a configuration, with random weights.
"""

import torch
from transformers import GPT2Config, GPT2LMHeadModel

from graphvis.scenario import after, before


def program(cut):
    torch.manual_seed(0)
    model = GPT2LMHeadModel(GPT2Config(n_layer=4, n_head=2, n_embd=32, vocab_size=64, n_positions=16))
    if cut:
        model.transformer.h[1].register_forward_pre_hook(lambda block, given: (given[0].detach(), *given[1:]))
    tokens = torch.arange(8)[None]
    loss = model(input_ids=tokens, labels=tokens).loss
    yield after(loss) if cut else before(loss)
