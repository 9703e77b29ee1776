// Owns: dot products of an instruction set with those for tall tiles in place of its own. Internal.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>

#include "kernels/microkernels/kernel_table.hpp"

namespace sluice::detail {

// Holds what the table refers to afterwards, so it must neither move nor end before the table.
class JoinedDots {
 public:
  JoinedDots() = default;
  JoinedDots(const JoinedDots&) = delete;
  JoinedDots& operator=(const JoinedDots&) = delete;

  // Both list the panel widths in the same order, and tall tiles begin at the latest where the others end. If those
  // have several starts for a group (start_k), a slice of a tile must be quantised at once, by one thread, since A of
  // tall tiles then has fewer bytes than row_bytes() says.
  void join(KernelTable& table, const TallDotTable& tall) noexcept {
    for (std::size_t element = 0; element < element_type_count; ++element)
      for (std::size_t arithmetic = 0; arithmetic < arithmetic_count; ++arithmetic) {
        const TallDots* const of = tall.of[element][arithmetic];
        const DotKernels*& dots = table.dots.of[element][arithmetic];
        if (of == nullptr) continue;
        for (std::size_t width = 0; width < table.panel_count; ++width)
          kernels_[element][arithmetic][width] = joined(dots[width], of[width], rows_[element][arithmetic][width]);
        dots = kernels_[element][arithmetic].data();
      }
  }

 private:
  struct Rows {
    std::array<DotKernel, most_tall_mr> packed;
    std::array<DotKernel, most_tall_mr> wide;
    std::array<std::uint8_t, most_tall_mr> wide_panels;
    std::array<QuantiseRows, most_tall_mr> quantise;
  };
  template <class Of>
  using Each = std::array<std::array<std::array<Of, most_widths>, arithmetic_count>, element_type_count>;

  static DotKernels joined(DotKernels dots, const TallDots& tall, Rows& rows) noexcept {
    for (std::size_t mr = 1; mr <= tall.max_mr; ++mr) {
      const bool is_tall = mr >= tall.first_mr;
      rows.packed[mr - 1] = is_tall ? tall.packed[mr - tall.first_mr] : dots.packed[mr - 1];
      rows.quantise[mr - 1] = is_tall ? tall.quantise : dots.quantise[mr - 1];
    }
    // Rows of which one of both has no kernels for panels side by side have none.
    const std::uint32_t few_rows = std::min(dots.wide_rows, tall.first_mr - 1);
    const bool all_wide = tall.wide != nullptr && few_rows == tall.first_mr - 1;
    for (std::size_t mr = 1; mr <= tall.max_mr; ++mr) {
      const bool is_tall = mr >= tall.first_mr;
      if (mr > few_rows && !all_wide) break;
      rows.wide[mr - 1] = is_tall ? tall.wide[mr - tall.first_mr] : dots.wide[mr - 1];
      rows.wide_panels[mr - 1] = is_tall ? tall.wide_panels : dots.wide_panels[mr - 1];
    }
    dots.max_mr = tall.max_mr;
    dots.wide = rows.wide.data();
    dots.wide_panels = rows.wide_panels.data();
    dots.wide_rows = all_wide ? tall.max_mr : few_rows;
    dots.packed = rows.packed.data();
    dots.quantise = rows.quantise.data();
    dots.probe = tall.probe;
    dots.end = tall.end;
    return dots;
  }

  Each<DotKernels> kernels_{};
  Each<Rows> rows_{};
};

}  // namespace sluice::detail
