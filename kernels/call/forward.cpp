// Owns: the stages of a block of rows: pack x → up stage → H → down stage → y, shared by a team of threads.
#include "kernels/call/forward.hpp"

#include <algorithm>
#include <array>

#include "kernels/call/dot_stage.hpp"
#include "kernels/call/stage.hpp"
#include "kernels/element_types/float_mode.hpp"
#include "kernels/threads/share.hpp"

namespace sluice::detail {
namespace {

enum class Stage : std::uint8_t { up, down };

// An F-block of an M-block of a team: what its stages read and write, whoever computes them.
struct Turn {
  RowTiles tiles;
  std::size_t first_row;
  std::size_t f;
  Range f_panels;
  std::size_t first_column;  // of H
  RowView x;
  PackedRows h;  // of integer dot products: row by row, before it is quantised
  QuantisedRows quantised_x;
  QuantisedRows quantised_h;
  float* y;  // partial sums, when several F-blocks add to them
};

// One thread of a call: a member of a team, and of the teams it helps.
class Member {
 public:
  Member(const ForwardCall& call, std::size_t index) noexcept
      : call_(call),
        blocking_(call.blocking),
        team_(index / blocking_.team_threads),
        member_(index % blocking_.team_threads),
        c_(memory(team_) + blocking_.c + member_ * blocking_.c_stride),
        clock_(call.phases == nullptr ? nullptr : &call.phases->threads[index]) {}

  void run() noexcept {
    const std::size_t turns = blocks_of(rows_of(team_)) * blocking_.f_blocks;
    for (turn_ = 0; turn_ < turns; ++turn_) run_turn(turn_at(team_, turn_));
    if (call_.boards != nullptr) {
      call_.boards[team_].close();
      finish_open_stage();
      help();
    }
    if (call_.dots != nullptr && call_.dots->end != nullptr) call_.dots->end(dot_state_);
  }

 private:
  [[nodiscard]] float* memory(std::size_t team) const noexcept { return call_.memory + team * blocking_.team_stride; }
  [[nodiscard]] Range rows_of(std::size_t team) const noexcept { return share(call_.m, team, blocking_.teams); }
  [[nodiscard]] std::size_t blocks_of(Range rows) const noexcept {
    return (rows.end - rows.begin + blocking_.block_rows - 1) / blocking_.block_rows;
  }

  // The most rows of a tile. The tallest tile of the plan stands for the tallest one of whatever kernels run.
  [[nodiscard]] std::size_t tile_rows() const noexcept {
    const std::uint32_t mr = call_.tiling.mr;
    if (call_.dots == nullptr) return mr;
    return mr == call_.panels->tile.max_mr ? call_.dots->max_mr : std::min(mr, call_.dots->max_mr);
  }

  // The turns of a team: M-blocks, inside them F-blocks.
  [[nodiscard]] Turn turn_at(std::size_t team, std::size_t number) const noexcept {
    const Range all = rows_of(team);
    const Range block = share(all.end - all.begin, number / blocking_.f_blocks, blocks_of(all));
    const std::size_t rows = block.end - block.begin;
    const std::size_t first_row = all.begin + block.begin;
    const std::size_t f = number % blocking_.f_blocks;
    const Range f_panels{f * blocking_.f_panels, std::min(call_.up->panels, (f + 1) * blocking_.f_panels)};
    const std::size_t first_column = f_panels.begin * call_.up->panel_width;
    const std::size_t columns = std::min(call_.up->columns, f_panels.end * call_.up->panel_width) - first_column;
    float* h = memory(team) + blocking_.h + (number % blocking_.h_buffers) * blocking_.h_stride;
    // A packed view has ld 0, so rows in place need a stride even where there is one row.
    const RowView in_place{call_.x + first_row * call_.ldx, std::max<std::size_t>(1, call_.ldx)};
    const auto quantised = [&](std::size_t offset, std::size_t depth) {
      auto* const base = reinterpret_cast<std::byte*>(memory(team) + offset);
      return QuantisedRows{base, call_.dots, call_.up->layout.block_k, depth, std::min(blocking_.kc, depth)};
    };
    return {.tiles = RowTiles(rows, tile_rows()),
            .first_row = first_row,
            .f = f,
            .f_panels = f_panels,
            .first_column = first_column,
            .x = call_.tiling.pack_x ? RowView{memory(team) + blocking_.x, 0} : in_place,
            .h = {h, rows, columns, call_.dots == nullptr ? std::min(blocking_.kc, columns) : columns},
            .quantised_x = quantised(blocking_.x, call_.up->depth),
            .quantised_h = quantised(blocking_.quantised_h, columns),
            .y = memory(team) + blocking_.y};
  }

  void run_turn(const Turn& turn) noexcept {
    if ((call_.tiling.pack_x || call_.dots != nullptr) && turn.f == 0) {
      if (call_.dots != nullptr)
        quantise(turn, call_.x + turn.first_row * call_.ldx, call_.ldx, turn.quantised_x);
      else
        pack_x(turn);
      clock_.end(Phase::pack);
      wait();
    }
    run_stage_of(turn, Stage::up);
    // All threads have passed the last turn's barrier, so none takes from its up stage any more.
    if (call_.claims != nullptr && member_ == 0) call_.claims->up[(turn_ + 1) % 2].reset();
    wait();
    if (call_.dots != nullptr) {
      if (call_.boards != nullptr) finish_open_stage();
      quantise(turn, turn.h.base, turn.h.depth, turn.quantised_h);
      clock_.end(Phase::pack);
      wait();
    }
    if (call_.claims != nullptr && member_ == 0) call_.claims->down[(turn_ + 1) % 2].reset();
    run_stage_of(turn, Stage::down);
  }

  void pack_x(const Turn& turn) noexcept {
    const RowTiles& tiles = turn.tiles;
    const float* x = call_.x + turn.first_row * call_.ldx;
    const std::size_t depth = call_.up->depth;
    const std::size_t kc = std::min(blocking_.kc, depth);
    const std::size_t slices = (depth + kc - 1) / kc;
    const Range mine = call_.portion.of(share(slices * tiles.count, member_, blocking_.team_threads));
    for (std::size_t item = mine.begin; item < mine.end; ++item) {
      const std::size_t k0 = item / tiles.count * kc;
      const std::size_t tile = item % tiles.count;
      const std::size_t length = std::min(kc, depth - k0);
      call_.kernels->pack_rows(x + tiles.first_row(tile) * call_.ldx + k0, static_cast<std::ptrdiff_t>(call_.ldx),
                               tiles.tile_rows(tile), length,
                               memory(team_) + blocking_.x + k0 * tiles.rows + tiles.first_row(tile) * length);
    }
  }

  // This member's part of the groups of all row tiles.
  void quantise(const Turn& turn, const float* source, std::size_t ld, const QuantisedRows& target) noexcept {
    const RowTiles& tiles = turn.tiles;
    const std::size_t groups = (target.depth + target.group - 1) / target.group;
    const Range mine = call_.portion.of(share(groups * tiles.count, member_, blocking_.team_threads));
    for (std::size_t item = mine.begin; item < mine.end;) {
      const std::size_t tile = item / groups;
      const std::size_t k = item % groups * target.group;
      // As many groups of this tile as its slice has.
      const std::size_t slice_end = std::min(target.depth, (k / target.kc + 1) * target.kc);
      const std::size_t end = std::min(slice_end, k + (mine.end - item) * target.group);
      call_.dots->quantise[tiles.tile_rows(tile) - 1]({.x = source + tiles.first_row(tile) * ld + k,
                                                       .ldx = static_cast<std::ptrdiff_t>(ld),
                                                       .rows = tiles.tile_rows(tile),
                                                       .k = end - k,
                                                       .group = target.group,
                                                       .a = target.at(tiles, tile, k)});
      item += (end - k + target.group - 1) / target.group;
    }
  }

  [[nodiscard]] std::size_t panels_of(const Turn& turn, Stage stage) const noexcept {
    return stage == Stage::up ? turn.f_panels.end - turn.f_panels.begin : call_.down->panels;
  }

  // This member's part of the panels of a stage of its team.
  void run_stage_of(const Turn& turn, Stage stage) noexcept {
    const std::size_t count = panels_of(turn, stage);
    const std::size_t threads = blocking_.team_threads;
    const Range all = call_.portion.of({0, count});
    if (call_.boards != nullptr) {
      finish_open_stage();
      call_.boards[team_].open(2 * turn_ + (stage == Stage::up ? 0 : 1), all.end - all.begin);
      while (take_from(team_)) {
      }
    } else if (call_.claims != nullptr) {
      Claims& claims = (stage == Stage::up ? call_.claims->up : call_.claims->down)[turn_ % 2];
      const auto take = [&] { return claims.take(all.end - all.begin, threads); };
      for (Range part = take(); part.begin < part.end; part = take())
        compute(turn, stage, {all.begin + part.begin, all.begin + part.end});
    } else {
      compute(turn, stage, call_.portion.of(share(count, member_, threads)));
    }
  }

  // Waits until all that others have taken from this team's open stage is done.
  void finish_open_stage() noexcept {
    call_.boards[team_].wait();
    clock_.end(Phase::wait);
  }

  // Takes and computes some panels that a team, its own or another, has open. Returns false if none is left.
  bool take_from(std::size_t team) noexcept {
    Board& board = call_.boards[team];
    const Board::Part part = board.take(blocking_.block_panels);
    if (part.panels == 0) return false;
    if (team != team_) clock_.end(Phase::wait);
    const Turn turn = turn_at(team, part.stage / 2);
    const Stage stage = part.stage % 2 == 0 ? Stage::up : Stage::down;
    const std::size_t begin = call_.portion.of({0, panels_of(turn, stage)}).end - part.left;
    compute(turn, stage, {begin, begin + part.panels});
    board.done(part);
    return true;
  }

  // Takes panels that the other teams have open until all teams are done.
  void help() noexcept {
    const auto all_closed = [&] {
      bool closed = true;
      for (std::size_t i = 1; i < blocking_.teams; ++i) {
        const std::size_t team = (team_ + i) % blocking_.teams;
        while (take_from(team)) {
        }
        closed = closed && call_.boards[team].closed();
      }
      return closed;
    };
    while (!spin(all_closed, 1000)) sched_yield();
    clock_.end(Phase::wait);
  }

  void compute(const Turn& turn, Stage stage, Range panels) noexcept {
    if (stage == Stage::up)
      up_stage(turn, panels);
    else
      down_stage(turn, panels);
  }

  // Runs a stage as it is, or, for integer dot products, the same with quantised A.
  template <class Finish>
  void run_any_stage(const StageCall& s, const QuantisedRows& a, std::size_t begin, std::size_t end,
                     Finish finish) noexcept {
    if (call_.dots == nullptr) return run_stage(s, begin, end, finish);
    run_dot_stage({.kernels = call_.dots,
                   .stage = s.stage,
                   .tiles = s.tiles,
                   .a = a,
                   .first_k = s.first_k,
                   .block_panels = s.block_panels,
                   .prefetch = s.prefetch,
                   .start_from_bias = s.start_from_bias,
                   .c = s.c,
                   .c_per_block = s.c_per_block,
                   .state = &dot_state_},
                  begin, end, finish);
  }

  StageCall stage_call(const PackedStage& stage, const RowTiles& tiles, RowView a, std::size_t first_k,
                       std::size_t depth) const noexcept {
    return {.kernels = call_.panels,
            .stage = &stage,
            .tiles = tiles,
            .a = a,
            .first_k = first_k,
            .depth = depth,
            .kc = blocking_.kc,
            .block_panels = blocking_.block_panels,
            .prefetch = call_.tiling.prefetch,
            .start_from_bias = true,
            .c = c_,
            .c_per_block = true,
            .widened = c_ + blocking_.widened};
  }

  void up_stage(const Turn& turn, Range panels) noexcept {
    const RowTiles& tiles = turn.tiles;
    const StageCall stage = stage_call(*call_.up, tiles, turn.x, 0, call_.up->depth);
    const std::size_t nr = call_.panels->tile.nr;
    const auto finish = [&](std::size_t p, const float* c) {
      clock_.end(Phase::up);
      const std::size_t column = (p - turn.f_panels.begin) * call_.up->panel_width;
      EpilogueCall epilogue{.c = c,
                            .nr = nr,
                            .mr = tiles.height + 1,
                            .tiles = tiles.tall,
                            .first_row = 0,
                            .h = turn.h,
                            .column = column,
                            .width = std::min(call_.up->panel_width, turn.h.depth - column)};
      if (call_.dots != nullptr) {  // tiles of one row are rows of H
        epilogue.mr = 1;
        epilogue.tiles = tiles.rows;
        call_.epilogue(epilogue);
        return clock_.end(Phase::gate);
      }
      if (tiles.tall != 0) call_.epilogue(epilogue);
      epilogue.first_row = tiles.first_row(tiles.tall);
      epilogue.c = c + epilogue.first_row * nr;
      epilogue.mr = tiles.height;
      epilogue.tiles = tiles.count - tiles.tall;
      call_.epilogue(epilogue);
      clock_.end(Phase::gate);
    };
    run_any_stage(stage, turn.quantised_x, turn.f_panels.begin + panels.begin, turn.f_panels.begin + panels.end,
                  finish);
    clock_.end(Phase::up);
  }

  void down_stage(const Turn& turn, Range panels) noexcept {
    const RowTiles& tiles = turn.tiles;
    const std::size_t nr = call_.panels->tile.nr;
    StageCall stage = stage_call(*call_.down, tiles, {turn.h.base, 0}, turn.first_column, turn.h.depth);
    stage.c_per_block = blocking_.f_blocks == 1;
    stage.start_from_bias = turn.f == 0 && !call_.accumulate;
    const bool last = turn.f + 1 == blocking_.f_blocks;
    const auto finish = [&](std::size_t p, const float* c) {
      if (!last) return;
      clock_.end(Phase::down);
      unpack(p, c, tiles, turn.first_row);
      clock_.end(Phase::unpack);
    };
    const auto run = [&](std::size_t begin, std::size_t end) {
      run_any_stage(stage, turn.quantised_h, begin, end, finish);
      clock_.end(Phase::down);
    };
    std::size_t begin = panels.begin;
    if (!stage.c_per_block) stage.c = turn.y + begin * tiles.rows * nr;
    if (!call_.accumulate) return run(begin, panels.end);
    // The chains start from the stored y plus the bias, which are loaded block by block if c holds one block of panels.
    while (begin < panels.end) {
      const std::size_t next = stage.c_per_block ? std::min(panels.end, begin + stage.block_panels) : panels.end;
      if (turn.f == 0)
        for (std::size_t p = begin; p < next; ++p)
          load_y(p, stage.c + (p - begin) * tiles.rows * nr, tiles, turn.first_row);
      clock_.end(Phase::unpack);
      run(begin, next);
      begin = next;
    }
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
  const std::size_t team_;
  const std::size_t member_;
  float* const c_;
  PhaseClock clock_;
  DotState dot_state_;
  std::size_t turn_ = 0;  // of its own team
};

}  // namespace

void forward_part(const ForwardCall& call, std::uint32_t index) noexcept {
  const FloatMode mode;
  const Blocking& blocking = call.blocking;
  if (index >= blocking.teams * blocking.team_threads) return;  // fewer rows than threads
  Member(call, index).run();
}

double work_of_portion(const ForwardCall& call) noexcept {
  const Blocking& blocking = call.blocking;
  const std::size_t members = call.claims != nullptr || call.boards != nullptr ? 1 : blocking.team_threads;
  const auto panels_of_portion = [&](std::size_t count) {
    std::size_t panels = 0;
    for (std::size_t member = 0; member < members; ++member) {
      const Range part = call.portion.of(share(count, member, members));
      panels += part.end - part.begin;
    }
    return panels;
  };
  double all = 0;
  double part = 0;
  for (std::size_t f = 0; f < blocking.f_blocks; ++f) {
    const std::size_t first = f * blocking.f_panels;
    const std::size_t panels = std::min(call.up->panels - first, blocking.f_panels);
    const auto up_depth = static_cast<double>(call.up->depth);
    const auto down_depth =
        static_cast<double>(std::min(call.up->columns - first * call.up->panel_width, panels * call.up->panel_width));
    all += up_depth * static_cast<double>(panels) + down_depth * static_cast<double>(call.down->panels);
    part += up_depth * static_cast<double>(panels_of_portion(panels)) +
            down_depth * static_cast<double>(panels_of_portion(call.down->panels));
  }
  return part / all;
}

}  // namespace sluice::detail
