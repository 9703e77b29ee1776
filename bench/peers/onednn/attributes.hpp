// Owns: what the products of oneDNN's peers have in common: dense matrices, and the gate as post-operations.
#pragma once

#include <cstddef>
#include <oneapi/dnnl/dnnl.hpp>

#include "sluice/kind.hpp"

namespace sluice::peers {

using dnnl::memory;

inline memory::desc plain(std::size_t rows, std::size_t columns, std::size_t ld,
                          memory::data_type type = memory::data_type::f32) {
  return {{static_cast<memory::dim>(rows), static_cast<memory::dim>(columns)},
          type,
          memory::dims{static_cast<memory::dim>(ld), 1}};
}

// The activation, then the product with `factor` unless it is null.
inline dnnl::primitive_attr fused(Activation activation, const memory::desc* factor) {
  dnnl::post_ops operations;
  const auto append = [&](dnnl::algorithm algorithm, float alpha) {
#if DNNL_VERSION_MAJOR >= 3
    operations.append_eltwise(algorithm, alpha, 0.0f);
#else
    operations.append_eltwise(1.0f, algorithm, alpha, 0.0f);
#endif
  };
  switch (activation) {
    case Activation::identity:
      break;
    case Activation::sigmoid:
      append(dnnl::algorithm::eltwise_logistic, 0);
      break;
    case Activation::relu:
      append(dnnl::algorithm::eltwise_relu, 0);
      break;
    case Activation::gelu:
      append(dnnl::algorithm::eltwise_gelu_erf, 0);
      break;
    case Activation::gelu_tanh:
      append(dnnl::algorithm::eltwise_gelu_tanh, 0);
      break;
    case Activation::silu:
      append(dnnl::algorithm::eltwise_swish, 1);
      break;
  }
  if (factor != nullptr) operations.append_binary(dnnl::algorithm::binary_mul, *factor);
  dnnl::primitive_attr attributes;
  attributes.set_post_ops(operations);
  return attributes;
}

}  // namespace sluice::peers
