"""Owns: OpenVINO as a peer: the FFN as a model, compiled for the CPU, which packs the weights and fuses what it can.
Integers with scales, f16 and bf16 are constants of that type that the model converts, as exporters write them: the
plugin leaves them as they are and converts them in its products."""

import math

import numpy
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




STORED = {}


def stored(key, make):
    """What make() gives, made once: the models of all copies and forms begin with the same arrays."""
    if key not in STORED:
        STORED[key] = make()
    return STORED[key]


def constant(array, shape, kind):
    # Without the word, a constant of a tensor would keep its address alone.
    return ops.constant(openvino.Tensor(array, openvino.Shape(shape), kind), shared_memory=False)


def float_weights(problem, matrix, transposed):
    """transposed: the weights are [out, in], as exporters of PyTorch models write them."""
    weights = getattr(problem, matrix)
    return ops.constant(stored(("f32", matrix), weights.T.copy) if transposed else weights)


def half_weights(problem, matrix, _):
    def make():
        weights = getattr(problem, matrix).T.copy()
        if problem.weights == "f16":
            return weights.astype(numpy.float16)
        return (weights.view(numpy.uint32) >> 16).astype(numpy.uint16).view(numpy.float16)  # in name only

    array = stored(("half", matrix), make)
    kind = openvino.Type.bf16 if problem.weights == "bf16" else openvino.Type.f16
    return ops.convert(constant(array, array.shape, kind), "f32")


def scaled_weights(problem, matrix, _):
    codes = problem.codes[matrix]
    width, depth = codes.elements.shape
    # Its groups divide the inputs. Where ours do not, narrower ones repeat the scale.
    group = math.gcd(codes.group, depth)
    grouped = [width, depth // group, group]

    def narrowed(name, array):
        return stored((name, matrix), lambda: numpy.repeat(
            array, codes.group // group, axis=1)[:, :depth // group, None].copy())

    def integers(name, array, shape):
        """A constant of integers of the type's bits."""
        if not problem.weights.endswith("int4"):
            return ops.constant(array.reshape(shape))

        def nibbles():
            flat = array.reshape(-1).astype(numpy.uint8) & 15
            flat = numpy.pad(flat, (0, flat.size % 2))
            return flat[0::2] | flat[1::2] << 4

        kind = openvino.Type.i4 if problem.weights == "int4" else openvino.Type.u4
        return constant(stored((f"{name} nibbles", matrix), nibbles), shape, kind)

    weights = ops.convert(integers("elements", codes.elements, grouped), "f16")
    if codes.zeros is not None:
        zeros = narrowed("zeros", codes.zeros)
        weights = ops.subtract(weights, ops.convert(integers("zeros", zeros, list(zeros.shape)), "f16"))
    weights = ops.multiply(weights, ops.constant(narrowed("scales", codes.scales)))
    return ops.convert(ops.reshape(weights, numpy.array([width, depth]), False), "f32")


def model_of(problem, weights_of, transposed):
    def product(rows, matrix):
        return ops.matmul(rows, weights_of(problem, matrix, transposed), False, transposed)

    names = problem.matrices()
    x = ops.parameter([problem.m, problem.d_model], openvino.Type.f32)
    h = ACTIVATIONS[problem.activation](product(x, names["inner"]))
    if problem.gated:
        h = ops.multiply(h, product(x, names["factor"]))
    return openvino.Model([product(h, "down")], [x])


def make(problem, weights_of, transposed, precision="f32", group=0):
    """group: how many values of x share a scale when the plugin quantises x; 0: it does not."""
    core = openvino.Core()
    settings = {"INFERENCE_PRECISION_HINT": precision, "INFERENCE_NUM_THREADS": problem.threads, "NUM_STREAMS": 1,
                "PERFORMANCE_HINT": "LATENCY", "DYNAMIC_QUANTIZATION_GROUP_SIZE": group}
    requests = []
    for _ in range(problem.copies):
        # Of one model each: compiled models of the same constants could share their packed form.
        request = core.compile_model(model_of(problem, weights_of, transposed), "CPU", settings).create_infer_request()
        request.set_input_tensor(openvino.Tensor(problem.x, shared_memory=True))
        request.set_output_tensor(openvino.Tensor(problem.y, shared_memory=True))
        requests.append(request)

    def forward(copy):
        requests[copy].start_async()
        requests[copy].wait()

    return forward


def variants(problem):
    if problem.weights == "f32":
        for transposed in (False, True):
            yield (f"model with weights [{'out, in' if transposed else 'in, out'}]",
                   lambda problem, transposed=transposed: make(problem, float_weights, transposed))
    elif problem.weights in ("bf16", "f16"):
        yield f"{problem.weights} weights, float32", lambda problem: make(problem, half_weights, True)
        for precision in ("bf16", "f16"):
            if precision not in (capability.lower().replace("fp", "f") for capability in
                                 openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")):
                continue
            if precision == "f16" and problem.weights == "bf16":
                continue    # beyond its range
            rounds = dict.fromkeys(("inputs", "results"), precision)
            if precision != problem.weights:
                rounds["weights"] = precision
            yield (f"{problem.weights} weights, inference precision {precision}",
                   lambda problem, precision=precision: make(problem, half_weights, True, precision), rounds)
    elif problem.weights in ("int8", "int4", "uint8", "uint4"):
        yield "decompressed weights, float32", lambda problem: make(problem, scaled_weights, True)
        if "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
            yield ("decompressed weights, inference precision bf16",
                   lambda problem: make(problem, scaled_weights, True, "bf16"),
                   dict.fromkeys(("inputs", "weights", "results"), "bf16"))
        widest = min(max(codes.group for codes in problem.codes.values()), 128)
        for group in sorted({32, widest}):
            yield (f"x quantised dynamically by {group}",
                   lambda problem, group=group: make(problem, scaled_weights, True, "f32", group),
                   {"inputs": "int8", "group": group})


worker.serve("openvino", openvino.__version__.split("-")[0], "called from Python", variants)
