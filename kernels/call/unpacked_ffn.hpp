// Owns: an FFN whose weights are still to be packed: what is asked for, and the memory. Internal.
// Does not own: the weights that are packed into it (ffn_pack.cpp: whole matrices, ffn_packer.cpp: ranges of columns).
#pragma once

#include <memory>

#include "kernels/weights/packed_ffn.hpp"
#include "sluice/ffn.hpp"
#include "sluice/status.hpp"

namespace sluice::detail {

// Ok when the library has such FFNs, whatever their memory and panel width.
Status check_asked(Shape shape, Kind kind, const PackOptions& options) noexcept;

// Chooses the panel width and allocates what check_asked found to be good. Weights and biases are not initialised:
// memory belongs to the NUMA node of the thread that writes it first.
Result<std::shared_ptr<Ffn::Packed>> allocate_unpacked(const KernelTable& kernels, Shape shape, Kind kind,
                                                       const PackOptions& options);

PanelFormat panel_format(const Ffn::Packed& packed, Kind kind, ScaleChoice scales) noexcept;

}  // namespace sluice::detail
