// Owns: what the copies of an Ffn share: its packed weights and what belongs to them. Internal.
#pragma once

#include <cstddef>
#include <memory>

#include "kernels/microkernels/kernel_table.hpp"
#include "kernels/weights/packed_weights.hpp"
#include "kernels/weights/shared_pages.hpp"
#include "sluice/ffn.hpp"

namespace sluice {

struct Ffn::Packed {
  struct Free {
    std::size_t bytes;
    void operator()(std::byte* address) const noexcept { detail::release_weights(address, bytes); }
  };

  const detail::KernelTable* kernels = nullptr;
  const detail::PanelKernels* panels = nullptr;
  const detail::DotKernels* dots = nullptr;  // null for f32 arithmetic
  Shape shape{};
  PlanTable plans;
  CacheSizes caches;
  std::unique_ptr<std::byte, Free> memory{nullptr, Free{0}};
  std::size_t bytes = 0;
  detail::PackedStage up;
  detail::PackedStage down;
};

namespace detail {

// Ok when the library offers the kind.
Status check_kind(Kind kind) noexcept;

}  // namespace detail
}  // namespace sluice
