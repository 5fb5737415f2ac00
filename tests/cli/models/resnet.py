"""ResNet with the second stage's input detached: the stem and the first stage learn nothing

Built from a configuration, with random weights.
"""

import torch
from transformers import ResNetConfig, ResNetForImageClassification

from graphvis.scenario import after, before


def program(cut):
    torch.manual_seed(0)
    config = ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[2, 2], layer_type="basic", num_labels=3)
    model = ResNetForImageClassification(config)
    if cut:
        model.resnet.encoder.stages[1].register_forward_pre_hook(lambda stage, given: (given[0].detach(),))
    loss = model(pixel_values=torch.rand(2, 3, 32, 32), labels=torch.tensor([0, 1])).loss
    yield after(loss) if cut else before(loss)
