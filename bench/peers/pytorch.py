"""Owns: PyTorch as a peer: the FFN as its users write it, and as TorchScript frozen for inference, which packs the
weights for oneDNN."""

import torch
import worker
from torch.nn import functional

ACTIVATIONS = {
    "identity": lambda z: z,
    "sigmoid": torch.sigmoid,
    "relu": functional.relu,
    "gelu": functional.gelu,
    "gelu_tanh": lambda z: functional.gelu(z, approximate="tanh"),
    "silu": functional.silu,
}


class Ffn(torch.nn.Module):
    """transposed: the weights are [out, in], as nn.Linear keeps them."""

    def __init__(self, problem, transposed):
        super().__init__()
        self.activation = ACTIVATIONS[problem.activation]
        self.transposed = transposed
        self.inner = self.weights(problem.inner)
        self.up = self.weights(problem.up) if problem.gated else None
        self.down = self.weights(problem.down)

    def weights(self, matrix):
        own = torch.from_numpy(matrix.T.copy() if self.transposed else matrix.copy())
        return torch.nn.Parameter(own, requires_grad=False)

    def product(self, rows, weights):
        return functional.linear(rows, weights) if self.transposed else torch.matmul(rows, weights)

    def forward(self, x):
        h = self.activation(self.product(x, self.inner))
        if self.up is not None:
            h = h * self.product(x, self.up)
        return self.product(h, self.down)


def make(problem, transposed, frozen):
    torch.set_num_threads(problem.threads)
    x, y = torch.from_numpy(problem.x), torch.from_numpy(problem.y)
    copies = [Ffn(problem, transposed).eval() for _ in range(problem.copies)]
    if frozen:
        copies = [torch.jit.optimize_for_inference(torch.jit.freeze(torch.jit.trace(ffn, x))) for ffn in copies]

    def forward(copy):
        with torch.inference_mode():
            y.copy_(copies[copy](x))

    return forward


def variants(problem):
    if problem.weights != "f32":
        return
    for frozen in (False, True):
        for transposed in (False, True):
            yield (f"{'frozen TorchScript' if frozen else 'eager'}, weights [{'out, in' if transposed else 'in, out'}]",
                   lambda problem, t=transposed, f=frozen: make(problem, t, f))


worker.serve("pytorch", torch.__version__, "called from Python", variants)
