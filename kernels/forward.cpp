// Owns: the journey of a block of rows: pack x → up stage → H → down stage → y, shared by a team of threads.
#include "kernels/forward.hpp"

#include <algorithm>
#include <array>

#include "kernels/float_mode.hpp"
#include "kernels/share.hpp"
#include "kernels/stage.hpp"

namespace sluice::detail {
namespace {

class TeamMember {
 public:
  TeamMember(const ForwardCall& call, std::size_t team, std::size_t member) noexcept
      : call_(call),
        blocking_(call.blocking),
        member_(member),
        memory_(call.memory + team * call.blocking.team_stride),
        c_(memory_ + call.blocking.c + member * call.blocking.c_stride),
        clock_(call.phases == nullptr ? nullptr : &call.phases->threads[team * call.blocking.team_threads + member]) {}

  void run(Range rows) noexcept {
    const std::size_t count = rows.end - rows.begin;
    const std::size_t blocks = (count + blocking_.block_rows - 1) / blocking_.block_rows;
    for (std::size_t block = 0; block < blocks; ++block) {
      const Range part = share(count, block, blocks);
      run_block(rows.begin + part.begin, part.end - part.begin);
    }
  }

 private:
  void run_block(std::size_t first_row, std::size_t rows) noexcept {
    const RowTiles tiles(rows, call_.tiling.mr);
    const float* x = call_.x + first_row * call_.ldx;
    // A packed view has ld 0, so rows in place need a stride even where there is one row.
    RowView x_view{x, std::max<std::size_t>(1, call_.ldx)};
    if (call_.tiling.pack_x) {
      pack_x(x, tiles);
      clock_.end(Phase::pack);
      wait();
      x_view = {memory_ + blocking_.x, 0};
    }
    for (std::size_t f = 0; f < blocking_.f_blocks; ++f) {
      const Range f_panels{f * blocking_.f_panels, std::min(call_.up->panels, (f + 1) * blocking_.f_panels)};
      const std::size_t first_column = f_panels.begin * call_.up->panel_width;
      const std::size_t columns = std::min(call_.up->columns, f_panels.end * call_.up->panel_width) - first_column;
      float* h = memory_ + blocking_.h + (turn_ % blocking_.h_buffers) * blocking_.h_stride;
      up_stage(tiles, x_view, f_panels, {h, rows, columns, std::min<std::size_t>(call_.tiling.kc, columns)});
      // All have passed the last turn's barrier, after which nobody takes from its up stage any more.
      if (call_.claims != nullptr && member_ == 0) call_.claims->up[(turn_ + 1) % 2].reset();
      wait();
      if (call_.claims != nullptr && member_ == 0) call_.claims->down[(turn_ + 1) % 2].reset();
      down_stage(tiles, {h, 0}, first_column, columns, first_row, f);
      ++turn_;
    }
  }

  void pack_x(const float* x, const RowTiles& tiles) noexcept {
    const std::size_t depth = call_.up->depth;
    const std::size_t kc = std::min<std::size_t>(call_.tiling.kc, depth);
    const std::size_t slices = (depth + kc - 1) / kc;
    const Range mine = share(slices * tiles.count, member_, blocking_.team_threads);
    for (std::size_t item = mine.begin; item < mine.end; ++item) {
      const std::size_t k0 = item / tiles.count * kc;
      const std::size_t tile = item % tiles.count;
      const std::size_t length = std::min(kc, depth - k0);
      call_.kernels->pack_rows(x + tiles.first_row(tile) * call_.ldx + k0, static_cast<std::ptrdiff_t>(call_.ldx),
                               tiles.tile_rows(tile), length,
                               memory_ + blocking_.x + k0 * tiles.rows + tiles.first_row(tile) * length);
    }
  }

  // Calls run(begin, end) until this member has done its part of the panels [0, count).
  template <class Run>
  void each_part(std::size_t count, std::array<Claims, 2> StageClaims::*claims, Run run) noexcept {
    if (call_.claims == nullptr) {
      const Range mine = share(count, member_, blocking_.team_threads);
      return run(mine.begin, mine.end);
    }
    Claims& open = (call_.claims->*claims)[turn_ % 2];
    for (Range part = open.take(count, blocking_.team_threads); part.begin < part.end;
         part = open.take(count, blocking_.team_threads))
      run(part.begin, part.end);
  }

  StageCall stage_call(const PackedStage& stage, const RowTiles& tiles, RowView a, std::size_t first_k,
                       std::size_t depth) const noexcept {
    return {.kernels = call_.panels,
            .stage = &stage,
            .tiles = tiles,
            .a = a,
            .first_k = first_k,
            .depth = depth,
            .kc = call_.tiling.kc,
            .block_panels = blocking_.block_panels,
            .prefetch = call_.tiling.prefetch,
            .start_from_bias = true,
            .c = c_,
            .c_per_block = true};
  }

  void up_stage(const RowTiles& tiles, RowView x, Range f_panels, const PackedRows& h) noexcept {
    const StageCall stage = stage_call(*call_.up, tiles, x, 0, call_.up->depth);
    const std::size_t nr = call_.panels->tile.nr;
    const auto finish = [&](std::size_t p, const float* c) {
      clock_.end(Phase::up);
      const std::size_t column = (p - f_panels.begin) * call_.up->panel_width;
      EpilogueCall epilogue{.c = c,
                            .nr = nr,
                            .mr = tiles.height + 1,
                            .tiles = tiles.tall,
                            .first_row = 0,
                            .h = h,
                            .column = column,
                            .width = std::min(call_.up->panel_width, h.depth - column)};
      if (tiles.tall != 0) call_.epilogue(epilogue);
      epilogue.first_row = tiles.first_row(tiles.tall);
      epilogue.c = c + epilogue.first_row * nr;
      epilogue.mr = tiles.height;
      epilogue.tiles = tiles.count - tiles.tall;
      call_.epilogue(epilogue);
      clock_.end(Phase::gate);
    };
    each_part(f_panels.end - f_panels.begin, &StageClaims::up, [&](std::size_t begin, std::size_t end) {
      run_stage(stage, f_panels.begin + begin, f_panels.begin + end, finish);
    });
    clock_.end(Phase::up);
  }

  void down_stage(const RowTiles& tiles, RowView h, std::size_t first_k, std::size_t depth, std::size_t first_row,
                  std::size_t f) noexcept {
    const std::size_t nr = call_.panels->tile.nr;
    StageCall stage = stage_call(*call_.down, tiles, h, first_k, depth);
    stage.c_per_block = blocking_.f_blocks == 1;
    stage.start_from_bias = f == 0 && !call_.accumulate;
    const bool last = f + 1 == blocking_.f_blocks;
    const auto finish = [&](std::size_t p, const float* c) {
      if (!last) return;
      clock_.end(Phase::down);
      unpack(p, c, tiles, first_row);
      clock_.end(Phase::unpack);
    };
    const auto run = [&](std::size_t begin, std::size_t end) {
      run_stage(stage, begin, end, finish);
      clock_.end(Phase::down);
    };
    each_part(call_.down->panels, &StageClaims::down, [&](std::size_t begin, std::size_t end) {
      if (!stage.c_per_block) stage.c = memory_ + blocking_.y + begin * tiles.rows * nr;
      if (!call_.accumulate) return run(begin, end);
      // The stored y and the bias start the chains; one block of panels at a time where c holds no more.
      while (begin < end) {
        const std::size_t next = stage.c_per_block ? std::min(end, begin + stage.block_panels) : end;
        if (f == 0)
          for (std::size_t p = begin; p < next; ++p)
            load_y(p, stage.c + (p - begin) * tiles.rows * nr, tiles, first_row);
        clock_.end(Phase::unpack);
        run(begin, next);
        begin = next;
      }
    });
  }

  void load_y(std::size_t p, float* c, const RowTiles& tiles, std::size_t first_row) const noexcept {
    const std::size_t nr = call_.panels->tile.nr;
    const std::size_t width = std::min(nr, call_.down->columns - p * nr);
    const float* bias = call_.down->bias + p * nr;
    for (std::size_t row = 0; row < tiles.rows; ++row) {
      const float* y = call_.y + (first_row + row) * call_.ldy + p * nr;
      for (std::size_t j = 0; j < nr; ++j) c[row * nr + j] = j < width ? y[j] + bias[j] : 0.0f;
    }
  }

  void unpack(std::size_t p, const float* c, const RowTiles& tiles, std::size_t first_row) const noexcept {
    const std::size_t nr = call_.panels->tile.nr;
    const std::size_t width = std::min(nr, call_.down->columns - p * nr);
    for (std::size_t row = 0; row < tiles.rows; ++row)
      std::copy_n(c + row * nr, width, call_.y + (first_row + row) * call_.ldy + p * nr);
  }

  void wait() noexcept {
    if (blocking_.team_threads == 1) return;
    call_.barrier->wait();
    clock_.end(Phase::wait);
  }

  const ForwardCall& call_;
  const Blocking& blocking_;
  const std::size_t member_;
  float* const memory_;
  float* const c_;
  PhaseClock clock_;
  std::size_t turn_ = 0;  // F-blocks that lie behind
};

}  // namespace

void forward_part(const ForwardCall& call, std::uint32_t index) noexcept {
  const FloatMode mode;
  const Blocking& blocking = call.blocking;
  if (index >= blocking.teams * blocking.team_threads) return;  // fewer rows than threads
  const std::size_t team = index / blocking.team_threads;
  TeamMember(call, team, index % blocking.team_threads).run(share(call.m, team, blocking.teams));
}

}  // namespace sluice::detail
