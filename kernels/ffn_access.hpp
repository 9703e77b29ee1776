// Owns: what tests and measurements need beneath the public class. Internal.
#pragma once

#include "kernels/kernel_table.hpp"
#include "sluice/ffn.hpp"

namespace sluice {

struct FfnAccess {
  // Ffn::pack with a given table instead of the dispatched one; the table must outlive the Ffn.
  static Result<Ffn> pack_with(const detail::KernelTable& kernels, Shape shape, Kind kind, const Weights& given,
                               const PackOptions& options);
};

}  // namespace sluice
