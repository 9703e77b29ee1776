"""Owns: OpenVINO as a peer: the FFN as a model, compiled for the CPU, which packs the weights and fuses what it can."""

import openvino
import worker
from openvino import opset13 as ops

ACTIVATIONS = {
    "identity": lambda z: z,
    "sigmoid": ops.sigmoid,
    "relu": ops.relu,
    "gelu": lambda z: ops.gelu(z, "erf"),
    "gelu_tanh": lambda z: ops.gelu(z, "tanh"),
    "silu": ops.swish,
}


def model_of(problem, transposed):
    """transposed: the weights are [out, in], as exporters of PyTorch models write them."""
    def product(rows, weights):
        constant = ops.constant(weights.T.copy() if transposed else weights)
        return ops.matmul(rows, constant, False, transposed)

    x = ops.parameter([problem.m, problem.d_model], openvino.Type.f32)
    h = ACTIVATIONS[problem.activation](product(x, problem.inner))
    if problem.gated:
        h = ops.multiply(h, product(x, problem.up))
    return openvino.Model([product(h, problem.down)], [x])


def make(problem, transposed):
    core = openvino.Core()
    settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": problem.threads, "NUM_STREAMS": 1,
                "PERFORMANCE_HINT": "LATENCY"}
    requests = []
    for _ in range(problem.copies):
        # Of one model each: compiled models of the same constants could share their packed form.
        request = core.compile_model(model_of(problem, transposed), "CPU", settings).create_infer_request()
        request.set_input_tensor(openvino.Tensor(problem.x, shared_memory=True))
        request.set_output_tensor(openvino.Tensor(problem.y, shared_memory=True))
        requests.append(request)

    def forward(copy):
        requests[copy].start_async()
        requests[copy].wait()

    return forward


def variants(problem):
    if problem.weights != "f32":
        return
    for transposed in (False, True):
        yield (f"model with weights [{'out, in' if transposed else 'in, out'}]",
               lambda problem, transposed=transposed: make(problem, transposed))


worker.serve("openvino", openvino.__version__.split("-")[0], "called from Python", variants)
