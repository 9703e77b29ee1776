// Owns: the contract between the blocked FFN and an instruction set: one constant table of functions per ISA.
// Internal. An ISA's object exports its table and nothing else; whatever is compiled under wide flags stays in there.
#pragma once

#include <cstddef>
#include <cstdint>

#include "sluice/isa.hpp"
#include "sluice/kind.hpp"
#include "sluice/plan.hpp"

namespace sluice::detail {

// One B panel slice [k][nr] against `tiles` register tiles of A, all of the same height mr:
// for each tile: C = C_in + A·B by one ascending chain of FMAs per element. B is of the type of weights that the kernel
// is for.
struct PanelCall {
  const float* a;                // packed: tile-major, [k][mr] inside; in place: rows of stride a_row_stride
  std::ptrdiff_t a_tile_stride;  // floats from one tile to the next
  std::ptrdiff_t a_row_stride;   // in place only
  const void* b;
  const float* c_in;  // partial sums, or the bias row (both strides 0)
  std::ptrdiff_t c_in_tile_stride;
  std::ptrdiff_t c_in_row_stride;
  float* c;  // [tiles][mr][nr]
  std::size_t tiles;
  std::size_t k;
  float* widened;                 // widening kernels only: [k][nr], receives the values of B
  std::ptrdiff_t b_panel_stride;  // panels side by side only: bytes from one to the next
  std::size_t slice;              // interleaved kernels only: k steps of a panel before those of the next
  // Software prefetch to L2, or to L1 for few rows and a near distance; steps in bytes. Each k step, except the last
  // k % 4, prefetches as many adjacent lines as a row of B has, starting at weight_prefetch (the weights to come). Each
  // group of four k steps prefetches one line, starting at data_prefetch (the next slice of A).
  const char* weight_prefetch;
  std::ptrdiff_t weight_prefetch_step;
  const char* data_prefetch;
  std::ptrdiff_t data_prefetch_step;
};
using PanelKernel = void (*)(const PanelCall& call);

// Weights that are not f32 are widened in parts of a panel of at most this many k steps, which stay in L1 or L2 while
// all row tiles read them. A multiple of the steps of every block of scaled elements.
inline constexpr std::size_t widened_depth = 256;

// The most panel widths of an instruction set.
inline constexpr std::size_t most_widths = 8;

// The widest panel that any instruction set has.
inline constexpr std::size_t most_nr = 64;

// k steps of a block of a panel whose scales are of whole columns; the longest of all blocks.
inline constexpr std::size_t whole_column_block = 128;

// The groups of a panel of scaled elements, in the order of k. Each has `length` steps, the last one as many as are
// left.
struct PanelGroups {
  const std::byte* codes;   // of the first group
  const std::byte* scales;  // [nr], of the first group; behind them its zero points where the type has them
  std::ptrdiff_t step;      // bytes from the codes of one group to those of the next
  std::ptrdiff_t scale_step;
  std::size_t length;
};

// The values of k steps of a panel, [k][nr] floats, and up to seven rows more.
using WidenGroups = void (*)(const PanelGroups& groups, std::size_t k, float* widened);

// The microkernels of one panel width for weights of one type; index mr − 1. Those for few rows take one tile, A packed
// or in place: rows of stride a_row_stride, k of stride a_tile_stride. C of panel p stands at c + p·mr·nr, its start at
// c_in + p·c_in_tile_stride.
struct PanelKernels {
  RegisterTile tile;
  const PanelKernel* packed;
  const PanelKernel* in_place;
  // For several tiles of packed A: the first tile, during which the weights are widened, and the others, which read
  // floats, as the kernels of f32 do. Null for f32.
  const PanelKernel* widening;
  const PanelKernel* widened;
  // Elements with scales only: all kernels read what this has widened before, as those of f32 do. Else null.
  WidenGroups widen_groups;
  // One panel, which is a single stream of weights.
  const PanelKernel* stream;
  std::uint32_t stream_rows;  // the tallest tile that has one
  // Two panels side by side: with few accumulators a single panel does not hide the latency of the FMAs.
  const PanelKernel* wide;
  std::uint32_t wide_rows;
  // `tiles` panels in slices of k, all row tiles in one call; index rows − 1. A packed: in such slices, as PackedRows
  // has them. Null where interleaved_rows is 0.
  const PanelKernel* interleaved_packed = nullptr;
  const PanelKernel* interleaved_in_place = nullptr;
  std::uint32_t interleaved_rows = 0;
};
inline constexpr std::size_t wide_panels = 2;
// More panels than this are more streams than a processor follows, and panels that are a power of two apart fill the
// ways of a cache (2048x5632, M = 8, Zen 3: eight panels take 1.18 of the time of four).
inline constexpr std::size_t most_interleaved = 8;

// What kernels of dot products keep from one call to the next of a thread: how registers that hold a matrix are
// configured, which takes hundreds of cycles (AMX, Emerald Rapids: 200 to 290). 0: they are not.
struct DotState {
  std::uint32_t configuration = 0;
};

// One panel slice, or several panels side by side, against `tiles` register tiles of quantised A, all of the same
// height mr: C = C_in + A·B, group by group as Arithmetic (kind.hpp) has it. Of elements without scales a group is a
// block of the panel, and quantised A is rounded.
struct DotCall {
  const std::byte* a;  // tile-major; inside, as QuantiseRows makes it
  std::ptrdiff_t a_tile_stride;
  PanelGroups groups;             // of the first panel
  std::ptrdiff_t b_panel_stride;  // bytes from one panel to the next
  std::size_t k;
  const float* c_in;  // partial sums, or the bias row (row stride 0)
  std::ptrdiff_t c_in_tile_stride;
  std::ptrdiff_t c_in_panel_stride;
  std::ptrdiff_t c_in_row_stride;
  float* c;  // [tiles][mr][nr], or, for panels side by side, [panels][mr][nr]
  std::size_t tiles;
  // Software prefetch of the weights to come, of as many lines as a step of words has: one panel asks for those from
  // `weight_prefetch` on, to L2; panels side by side for those `distance` bytes ahead of their own, to L1.
  const char* weight_prefetch;
  std::ptrdiff_t weight_prefetch_step;
  std::ptrdiff_t distance;
  DotState* state;  // of the thread
};
using DotKernel = void (*)(const DotCall& call);

// Quantises k steps of `rows` rows, from the beginning of a group on, to A of one tile: for each group [rows] scales,
// the [rows] integers that its sums start from (one for each start_k steps; with zero points, which multiply them,
// the negative sums of its codes), and its codes as the kernels want them. Of elements without scales, these alone.
struct QuantiseCall {
  const float* x;
  std::ptrdiff_t ldx;
  std::size_t rows;
  std::size_t k;
  std::size_t group;
  std::byte* a;
};
using QuantiseRows = void (*)(const QuantiseCall& call);

// Ends what the kernels keep, after the last call of a thread.
using EndDots = void (*)(DotState& state);

// Measuring aid, as Probes has it for FMAs: dot products on registers alone.
using DotProbe = std::uint32_t (*)(std::size_t iterations, double* flops);

// The microkernels of one panel width for dot products of one type of elements by one arithmetic; index rows − 1.
struct DotKernels {
  std::uint32_t nr;
  std::uint32_t max_mr;
  std::size_t word_k;       // k steps in a word of weights
  std::size_t fill_k;       // a row of a group of A is filled up to a multiple of so many
  std::size_t code_bytes;   // of a quantised element of A
  std::size_t start_k;      // k steps of a sum; a group has a start for each; 0: neither scales nor starts
  const DotKernel* packed;  // one panel, any number of tiles
  // Several panels side by side, one tile.
  const DotKernel* wide;
  const std::uint8_t* wide_panels;
  std::uint32_t wide_rows;
  const QuantiseRows* quantise;  // for tiles of so many rows
  DotProbe probe;
  EndDots end = nullptr;  // null: they keep nothing

  // Bytes of k steps of one row of A in groups of so many steps, from the beginning of a group on.
  [[nodiscard]] std::size_t row_bytes(std::size_t k, std::size_t group) const noexcept {
    return quantised_bytes(k, group, fill_k, code_bytes, start_k);
  }
  static std::size_t quantised_bytes(std::size_t k, std::size_t group, std::size_t fill_k, std::size_t code_bytes,
                                     std::size_t start_k) noexcept {
    const auto bytes = [=](std::size_t length) {
      const std::size_t codes = (length + fill_k - 1) / fill_k * fill_k * code_bytes;
      return start_k == 0 ? codes : sizeof(float) + (length + start_k - 1) / start_k * sizeof(std::int32_t) + codes;
    };
    const std::size_t rest = k % group;
    return k / group * bytes(group) + (rest == 0 ? 0 : bytes(rest));
  }
};

// Where a stage's A stands when packed: slices of kc columns; inside, row tiles; inside, [k][mr].
// Element (row r of tile with first row r0 and height h, column k of slice [k0, k0 + len)):
//   base + k0·rows + r0·len + (k − k0)·h + (r − r0).
struct PackedRows {
  float* base;
  std::size_t rows;   // of the whole M-block
  std::size_t depth;  // columns in all
  std::size_t kc;
};

// One finished panel of partial sums [tiles][mr][nr] → H columns [column, column + width) of rows
// [first_row, first_row + tiles·mr), stored as packed A of the down stage. Gated: width ≤ nr/2, gate in the left
// half of each row and up in the right; plain: width ≤ nr.
struct EpilogueCall {
  const float* c;
  std::size_t nr;
  std::size_t mr;
  std::size_t tiles;
  std::size_t first_row;
  PackedRows h;
  std::size_t column;
  std::size_t width;
};
using Epilogue = void (*)(const EpilogueCall& call);

// rows × columns floats of x (row stride ldx) → [k][mr] of one tile, mr = rows.
using PackRows = void (*)(const float* x, std::ptrdiff_t ldx, std::size_t rows, std::size_t columns, float* packed);

// Measuring aids: loops whose speed is a roof of the machine. Each returns a value that depends on all its work.
struct Probes {
  // FMAs on registers alone; returns the FLOPs done through *flops.
  float (*fma)(std::size_t iterations, double* flops);
  // Sums `bytes` (a multiple of 4096) of 64-byte aligned memory as 1, 2, 4 or 8 streams side by side; prefetches
  // `ahead` bytes (0: none).
  float (*read)(const float* data, std::size_t bytes, std::size_t ahead, std::size_t streams);
};

// By type of elements and arithmetic, of each width in the order of the table that they belong to; null where there are
// none.
struct DotTable {
  const DotKernels* of[element_type_count][arithmetic_count];

  // Those that another table has, in place of its own.
  void take(const DotTable& other) noexcept {
    for (std::size_t element = 0; element < element_type_count; ++element)
      for (std::size_t arithmetic = 0; arithmetic < arithmetic_count; ++arithmetic)
        if (other.of[element][arithmetic] != nullptr) of[element][arithmetic] = other.of[element][arithmetic];
  }
};

// Microkernels that take the place of those for tiles of first_mr rows and more, and for taller ones than these reach.
// A is as their own quantisation makes it, with one start for each group.
struct TallDots {
  std::uint32_t nr;
  std::uint32_t first_mr;
  std::uint32_t max_mr;
  const DotKernel* packed;  // index rows − first_mr
  QuantiseRows quantise;
  DotProbe probe;
  EndDots end;
  const DotKernel* wide = nullptr;  // index rows − first_mr; null: no panels go side by side
  std::uint8_t wide_panels = 0;
};
inline constexpr std::uint32_t most_tall_mr = 16;

struct TallDotTable {
  const TallDots* of[element_type_count][arithmetic_count];
};

struct KernelTable {
  Isa isa;
  std::uint32_t lanes;
  const PanelKernels* panels[element_type_count];  // [type of elements][width], the preferred width first
  std::size_t panel_count;                         // widths; every type has the same
  DotTable dots;
  Epilogue gated[activation_count];
  Epilogue plain[activation_count];
  PackRows pack_rows;
  Probes probes;
};

extern const KernelTable scalar_kernels;
extern const KernelTable neon_kernels;
extern const KernelTable avx2_kernels;
extern const KernelTable avx512_kernels;

// Dot products of processors that have more than their ISA asks for.
extern const DotTable avx_vnni_dots;
extern const DotTable avx512_vnni_dots;
extern const DotTable neon_dotprod_dots;
extern const DotTable neon_i8mm_dots;
extern const TallDotTable avx512_amx_dots;
extern const TallDotTable avx512_amx_bf16_dots;

// The table of an ISA with the best dot products that run here, null when this build does not hold it. The first call
// for an arithmetic that is not f32 asks the operating system for registers that a process has to ask for; without them
// the table has other dot products.
const KernelTable* kernel_table(Isa isa, Arithmetic arithmetic = Arithmetic::f32) noexcept;
// The microkernels for a panel width and a type of elements, null when the table has none.
const PanelKernels* panel_kernels(const KernelTable& kernels, std::uint32_t nr, ElementType elements) noexcept;
// Those of dot products, null for f32 and when the table has none.
const DotKernels* dot_kernels(const KernelTable& kernels, std::uint32_t nr, ElementType elements,
                              Arithmetic arithmetic) noexcept;
// The preferred panel width of an instruction set.
inline RegisterTile preferred_tile(const KernelTable& kernels) noexcept { return kernels.panels[0][0].tile; }

}  // namespace sluice::detail
