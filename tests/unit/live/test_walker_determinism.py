"""The same program gives the same bytes in every process."""

import os
import subprocess
import sys

PROGRAM = """
import torch
from graphvis.live.walker import walk
torch.manual_seed(0)
model = torch.nn.TransformerEncoderLayer(8, 2, dim_feedforward=16, dropout=0.1)
hidden = model(torch.randn(3, 2, 8))
names = {name: value for name, value in locals().items() if isinstance(value, torch.Tensor)}
print(walk((hidden.sum(), hidden), names, module=model, also={"unused": hidden.detach().exp()}).to_json())
"""


def test_bytes_do_not_depend_on_the_hash_seed() -> None:
    printed = {
        subprocess.run(
            [sys.executable, "-c", PROGRAM], env={**os.environ, "PYTHONHASHSEED": seed, "OMP_NUM_THREADS": "1"},
            capture_output=True, check=True,
        ).stdout
        for seed in ("0", "4711")
    }  # fmt: skip

    assert len(printed) == 1
    assert b"AccumulateGrad" in printed.pop()
