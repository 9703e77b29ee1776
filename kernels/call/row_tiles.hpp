// Owns: the division of rows into register tiles. Internal.
#pragma once

#include <algorithm>
#include <cstddef>

namespace sluice::detail {

// Rows balanced over register tiles of at most mr: the first `tall` tiles have height + 1 rows, the others height.
struct RowTiles {
  std::size_t rows;
  std::size_t count;
  std::size_t height;
  std::size_t tall;

  RowTiles(std::size_t all_rows, std::size_t mr) noexcept
      : rows(all_rows), count((all_rows + mr - 1) / mr), height(all_rows / count), tall(all_rows % count) {}

  [[nodiscard]] std::size_t first_row(std::size_t tile) const noexcept { return tile * height + std::min(tile, tall); }
  [[nodiscard]] std::size_t tile_rows(std::size_t tile) const noexcept { return height + (tile < tall ? 1 : 0); }
};

}  // namespace sluice::detail
