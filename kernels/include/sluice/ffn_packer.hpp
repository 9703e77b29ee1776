// Owns: packing an FFN by ranges of columns, so that its weights need never be in memory as a whole.
// Does not own: packing matrices that are there as a whole, and what the packed FFN does (ffn.hpp).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "sluice/ffn.hpp"
#include "sluice/kind.hpp"
#include "sluice/status.hpp"

namespace sluice {

// The matrices of an FFN by their roles, as in Weights. gate and up have d_model inputs and d_ff columns (outputs),
// down has d_ff inputs and d_model columns. A plain kind has no gate.
enum class Role : std::uint8_t { gate, up, down };

// Takes the weights of one FFN a range of columns at a time, as a loader reads, converts or makes them, and packs each
// range at once; what was read is not needed afterwards. A model is then in memory once: packing takes the packed
// weights (Ffn::packed_size), allocated by create, one bit for each column of each matrix, and what the caller holds of
// a range. The Ffn is to the bit the one that Ffn::pack makes of the whole matrices.
//
//   auto packer = FfnPacker::create(shape, kind);
//   for (each piece of a file) packer->pack(role, first, count, {.data = piece, .order = Order::out_in});
//   auto ffn = packer->finish();
//
// Ranges may have any size and come in any order, of matrices in turns, and each in its own type, order or format of
// blocks. Where a file stores [out, in], as PyTorch and GGUF do, the columns of a range are consecutive in it.
//
// Threads: several may call pack and pack_bias of one packer at the same time, as long as no two calls have a column of
// the same matrix (a bias of the same column) in common; no two columns share a byte. No other call may run beside any
// call, so finish comes after the threads have been joined. A range is packed by the calling thread alone, whatever
// PackOptions::executor says, and weights stand in the memory of the NUMA node whose thread packs there first.
//
// A call that fails changes nothing: what was packed stays, and the call can be made again.
class FfnPacker {
 public:
  // Allocates the packed weights. Biases are zero until pack_bias gives others. PackOptions as in Ffn::pack; `plans`
  // must outlive the Ffn. Fails as Ffn::pack does on what is not about matrices: a zero extent, an unknown kind, type
  // of weights or arithmetic, choice of scales, sizes that overflow, an nr without a microkernel, an ISA that cannot
  // run here, lack of memory.
  static Result<FfnPacker> create(Shape shape, Kind kind, const PackOptions& options = {});

  // Packs columns [first, first + count) of a matrix from a view of these alone: column 0 of `columns`, a matrix of
  // [inputs of the matrix, count], is column `first`. Its ld, in elements, is that of the view: dense (0) is count for
  // in_out. The values are rounded or quantised as Ffn::pack says; a range holds its columns from the first input to
  // the last, since groups and scales go along them. Columns that are given again replace what was there. count = 0 is
  // Ok and does nothing, even if data is null. Allocates nothing. Fails on a role that the kind does not have, a range
  // beyond the matrix, what Ffn::pack refuses of a matrix (null data, an ld less than a row, an unknown type, order or
  // format, blocks that do not fit, extents that overflow), and after finish.
  Status pack(Role role, std::size_t first, std::size_t count, const Matrix& columns) noexcept;

  // Gives columns [first, first + count) of a matrix the biases [count], in place of zeros. Needs no order before or
  // after pack. Fails on the same as pack, and on null.
  Status pack_bias(Role role, std::size_t first, std::size_t count, const float* biases) noexcept;

  // The FFN, when each column of each matrix is packed; the packer is empty afterwards. Otherwise fails and names the
  // first columns that are missing; they can be packed then, and finish called again. Allocates nothing.
  Result<Ffn> finish() noexcept;

  FfnPacker(FfnPacker&& other) noexcept;  // leaves the other one empty
  FfnPacker& operator=(FfnPacker&& other) noexcept;
  ~FfnPacker();

 private:
  struct State;
  explicit FfnPacker(std::unique_ptr<State> state) noexcept;

  std::unique_ptr<State> state_;  // null: finished or moved from
};

}  // namespace sluice
