#include "tuner/workload/cell.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "tuner/base/failure.hpp"

namespace sluice::tuner {
namespace {

std::vector<Shape> shapes(const Workload& workload, Kind kind, const PlainSizes& sizes) {
  if (kind.gated || sizes.as_named) return {shape(workload, kind)};
  std::vector<Shape> all;
  if (sizes.equal_width) all.push_back({workload.d_model, workload.d_ff_gated});
  // For an odd F, 1.5·F is rounded up to a whole column.
  if (sizes.equal_budget) all.push_back({workload.d_model, (3 * workload.d_ff_gated + 1) / 2});
  return all;
}

}  // namespace

PlainSizes parse_plain_sizes(const std::vector<std::string>& words) {
  if (words.empty()) return {};
  PlainSizes sizes{.as_named = false};
  for (const std::string& word : words) {
    if (word == "width")
      sizes.equal_width = true;
    else if (word == "budget")
      sizes.equal_budget = true;
    else
      throw Failure(exit_code::usage, fmt::format("--equal {}: unknown; expected width, budget or both", word));
  }
  return sizes;
}

std::vector<Cell> cells(const CellAxes& axes, const PlainSizes& plain_sizes) {
  std::vector<Cell> all;
  for (const Workload& workload : axes.workloads)
    for (const std::size_t m : axes.m)
      for (const std::uint32_t threads : axes.threads)
        for (const Kind kind : axes.kinds)
          for (const Shape& size : shapes(workload, kind, plain_sizes)) {
            const auto same = std::find_if(all.begin(), all.end(), [&](const Cell& c) {
              return c.kind == kind && c.shape == size && c.m == m && c.threads == threads;
            });
            Cell& cell = same != all.end() ? *same : all.emplace_back(Cell{kind, size, m, threads, {}});
            if (!workload.name.empty()) cell.models.emplace_back(workload.name);
          }
  return all;
}

std::string shape_name(Shape shape) { return fmt::format("{}x{}", shape.d_model, shape.d_ff); }

}  // namespace sluice::tuner
