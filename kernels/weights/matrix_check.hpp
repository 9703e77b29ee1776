// Owns: whether a view of a matrix, or of some of its columns, can be packed. Internal.
#pragma once

#include <cstddef>

#include "sluice/ffn.hpp"
#include "sluice/status.hpp"

namespace sluice::detail {

// Checks a view of [in, out] and makes a dense leading dimension explicit. The message calls it `view`.
Status check_matrix(const char* view, std::size_t in, std::size_t out, Matrix& matrix) noexcept;

}  // namespace sluice::detail
