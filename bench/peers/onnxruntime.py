"""Owns: ONNX Runtime as a peer: the FFN as a model of one session, which packs the weights when it is loaded."""

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


def model_of(problem):
    weights = {"inner": problem.inner, "down": problem.down}
    nodes = [helper.make_node("MatMul", ["x", "inner"], ["z"])]
    nodes += activation_nodes(problem.activation, "z", "a")
    if problem.gated:
        weights["factor"] = problem.up
        nodes += [helper.make_node("MatMul", ["x", "factor"], ["u"]), helper.make_node("Mul", ["a", "u"], ["h"])]
    nodes.append(helper.make_node("MatMul", ["h" if problem.gated else "a", "down"], ["y"]))
    shape = [problem.m, problem.d_model]
    graph = helper.make_graph(nodes, "ffn", [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
                              [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)],
                              [numpy_helper.from_array(value, name) for name, value in weights.items()])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=10).SerializeToString()


def make(problem):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = problem.threads
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.add_session_config_entry("session.intra_op.allow_spinning", "1")
    model = model_of(problem)
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
    if problem.weights != "f32":
        return
    yield "one session", make


worker.serve("onnxruntime", onnxruntime.__version__, "called from Python", variants)
