// Owns: what a view of a matrix must be to be packed, said in one line where it is not.
#include "kernels/weights/matrix_check.hpp"

#include <cstdint>
#include <utility>

#include "kernels/element_types/quantised_reader.hpp"

namespace sluice::detail {
namespace {

// Checks what a matrix of words of integers asks of its other fields.
Status check_integers(const char* view, std::size_t in, std::size_t out, const Matrix& matrix) noexcept {
  if (matrix.order != Order::in_out)
    return Status::error(Code::invalid_argument, "%s.order = out_in; the rows of gptq and awq are of outputs: in_out",
                         view);
  if (matrix.scales == nullptr || matrix.zeros == nullptr)
    return Status::error(Code::invalid_argument, "%s.%s is null; gptq and awq have one for each group and output", view,
                         matrix.scales == nullptr ? "scales" : "zeros");
  if (!parse_weight_type(name(WeightType::uint4(matrix.group))))
    return Status::error(Code::invalid_argument, "%s.group = %u; expected 32, 64, 128 or WeightType::whole_column",
                         view, matrix.group);
  for (const auto& [what, value] : {std::pair("inputs", in), std::pair("outputs", out), std::pair("ld", matrix.ld)})
    if (value % integers_in_word != 0)
      return Status::error(Code::invalid_argument,
                           "%s: %s = %zu; a word of gptq or awq holds eight, so expected a multiple of that", view,
                           what, value);
  return {};
}

// Checks what a matrix that is given quantised asks of its other fields; an ld of 0 is made explicit before.
Status check_quantised(const char* view, std::size_t in, std::size_t out, const Matrix& matrix) noexcept {
  if (matrix.type != WeightType::f32)
    return Status::error(Code::invalid_argument, "%s.type is set; leave it f32, the blocks say what they hold", view);
  bool integers = false;
  IntegerLayouts::with(matrix.blocks, [&](auto) { integers = true; });
  if (integers) return check_integers(view, in, out, matrix);
  std::size_t depth = 0;
  BlockFormats::with(matrix.blocks, [&](auto format) { depth = decltype(format)::depth; });
  if (depth == 0)
    return Status::error(Code::invalid_argument, "%s.blocks = %u is no BlockFormat", view,
                         static_cast<unsigned>(matrix.blocks));
  if (matrix.order != Order::out_in)
    return Status::error(Code::invalid_argument, "%s.order = in_out; blocks are of consecutive inputs: out_in", view);
  if (in % depth != 0)
    return Status::error(Code::invalid_argument,
                         "%s has %zu inputs; its blocks hold %zu each, so expected a multiple of that", view, in,
                         depth);
  if (matrix.ld % depth != 0)
    return Status::error(Code::invalid_argument, "%s.ld = %zu; expected a multiple of %zu, a block's elements", view,
                         matrix.ld, depth);
  return {};
}

}  // namespace

Status check_matrix(const char* view, std::size_t in, std::size_t out, Matrix& matrix) noexcept {
  if (matrix.data == nullptr)
    return Status::error(Code::invalid_argument, "%s is null; expected a [%zu, %zu] matrix", view, in, out);
  if (matrix.order != Order::in_out && matrix.order != Order::out_in)
    return Status::error(Code::invalid_argument, "%s.order = %u; expected in_out or out_in", view,
                         static_cast<unsigned>(matrix.order));
  if (matrix.type != WeightType::f32 && matrix.type != WeightType::bf16 && matrix.type != WeightType::f16)
    return Status::error(Code::invalid_argument,
                         "%s.type = {%u, %u} is no type of matrix; expected WeightType::f32, bf16 or f16", view,
                         static_cast<unsigned>(matrix.type.element), matrix.type.group);
  const std::size_t contiguous = matrix.order == Order::in_out ? out : in;
  const std::size_t lines = matrix.order == Order::in_out ? in : out;
  if (matrix.ld == 0) matrix.ld = contiguous;
  if (matrix.ld < contiguous)
    return Status::error(Code::invalid_argument, "%s.ld = %zu is less than a row; expected 0 or at least %zu", view,
                         matrix.ld, contiguous);
  std::size_t extent = 0;
  if (__builtin_mul_overflow(matrix.ld, lines, &extent) || extent > SIZE_MAX / sizeof(float))
    return Status::error(Code::too_large,
                         "%s.ld = %zu times %zu overflows; expected the elements from one line to the next", view,
                         matrix.ld, lines);
  return matrix.blocks == BlockFormat::none ? Status{} : check_quantised(view, in, out, matrix);
}

}  // namespace sluice::detail
