"""Owns: ONNX Runtime as a peer: the FFN as a model of one session, which packs the weights when it is loaded: float32
ones, and integers of 4 and 8 bits by MatMulNBits. Its CPU provider has no product with f16 or bf16 weights: it makes
float32 of them when the model is loaded, so it has no form for these types."""

import numpy
import onnxruntime
import worker
from onnx import TensorProto, helper, numpy_helper

OPSET = 20


def activation_nodes(activation, z, h):
    if activation == "identity":
        return [helper.make_node("Identity", [z], [h])]
    if activation == "sigmoid":
        return [helper.make_node("Sigmoid", [z], [h])]
    if activation == "relu":
        return [helper.make_node("Relu", [z], [h])]
    if activation in ("gelu", "gelu_tanh"):
        return [helper.make_node("Gelu", [z], [h], approximate="tanh" if activation == "gelu_tanh" else "none")]
    # No SiLU before opset 24; the session fuses these two into its own.
    return [helper.make_node("Sigmoid", [z], ["s"]), helper.make_node("Mul", [z, "s"], [h])]


def float_product(problem, name, rows, matrix, out):
    """A product with float32 weights."""
    return helper.make_node("MatMul", [rows, name], [out]), {name: getattr(problem, matrix)}


def block_product(accuracy_level):
    """Products with integers. accuracy_level as the operator has it: 0 computes in float32, 4 with x in 8 bits."""
    def product(problem, name, rows, matrix, out):
        codes = problem.codes[matrix]
        width, depth = codes.elements.shape
        block = block_size(codes)
        count = -(-depth // block)
        elements = numpy.zeros((width, count * block), numpy.int16)
        elements[:, :depth] = codes.elements
        bits = 4 if problem.weights.endswith("int4") else 8
        offset = 1 << (bits - 1) if codes.zeros is None else 0
        stored = (elements + offset).astype(numpy.uint8).reshape(width, count, block)
        if bits == 4:
            stored = stored[:, :, 0::2] | stored[:, :, 1::2] << 4

        def of_blocks(array):   # of whole columns, which it has no blocks for, repeated
            return array if array.shape[1] == count else numpy.repeat(array, count, axis=1)

        given = {name: stored, f"{name}_scales": of_blocks(codes.scales.astype(numpy.float32))}
        if codes.zeros is not None:
            zeros = of_blocks(codes.zeros)
            if bits == 4:
                zeros = numpy.pad(zeros, ((0, 0), (0, count % 2)))
                zeros = zeros[:, 0::2] | zeros[:, 1::2] << 4
            given[f"{name}_zeros"] = numpy.ascontiguousarray(zeros)
        node = helper.make_node("MatMulNBits", [rows, *given], [out], domain="com.microsoft", K=depth, N=width,
                                bits=bits, block_size=block, accuracy_level=accuracy_level)
        return node, given
    return product


def block_size(codes):
    return codes.group if codes.group in (16, 32, 64, 128) else 128


def model_of(problem, product):
    names = problem.matrices()
    parts = [product(problem, "inner", "x", names["inner"], "z")]
    nodes = [parts[0][0], *activation_nodes(problem.activation, "z", "a")]
    if problem.gated:
        parts.append(product(problem, "factor", "x", names["factor"], "u"))
        nodes += [parts[1][0], helper.make_node("Mul", ["a", "u"], ["h"])]
    parts.append(product(problem, "down", "h" if problem.gated else "a", "down", "y"))
    nodes.append(parts[-1][0])
    shape = [problem.m, problem.d_model]
    graph = helper.make_graph(nodes, "ffn", [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
                              [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)],
                              [numpy_helper.from_array(value, name) for _, weights in parts
                               for name, value in weights.items()])
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=10).SerializeToString()


def make(problem, product):
    options = onnxruntime.SessionOptions()
    options.use_per_session_threads = False     # one pool for all copies, or the last copy's threads would still spin
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    model = model_of(problem, product)
    calls = []
    for _ in range(problem.copies):
        session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        binding = session.io_binding()
        for bind, name, array in ((binding.bind_input, "x", problem.x), (binding.bind_output, "y", problem.y)):
            bind(name, "cpu", 0, array.dtype, array.shape, array.ctypes.data)
        calls.append((session, binding))

    def forward(copy):
        session, binding = calls[copy]
        session.run_with_iobinding(binding)

    return forward


def variants(problem):
    onnxruntime.set_global_thread_pool_sizes(problem.threads, 1)
    if problem.weights == "f32":
        yield "one session", lambda problem: make(problem, float_product)
    elif problem.weights in ("int4", "int8", "uint4", "uint8"):
        yield "MatMulNBits, accuracy level 0", lambda problem: make(problem, block_product(0))
        # Both products quantise by the block size of their own weights.
        group = max(block_size(codes) for codes in problem.codes.values())
        yield (f"MatMulNBits, accuracy level 4 (x quantised to 8 bits by {group})",
               lambda problem: make(problem, block_product(4)), {"inputs": "int8", "group": group})


worker.serve("onnxruntime", onnxruntime.__version__, "called from Python", variants)
