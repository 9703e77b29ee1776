// Every function of every kernel table has a micro benchmark, and one can be measured.
#include "bench/micro/micro.hpp"

#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <array>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "bench/commands/bench_command.hpp"
#include "bench/micro/micro_session.hpp"
#include "kernels/microkernels/kernel_table.hpp"
#include "tuner/commands/program.hpp"

namespace sluice::bench {
namespace {

std::set<std::string> listed(Isa isa) {
  const std::array verbs{tuner::Verb{"bench", "", bench_command}};
  std::vector<std::string> words{"sluice-bench",          "bench", "--micro", "--isa", std::string(name(isa)),
                                 "--benchmark_list_tests"};
  std::vector<char*> arguments;
  arguments.reserve(words.size());
  for (std::string& word : words) arguments.push_back(word.data());
  testing::internal::CaptureStdout();
  const int code = tuner::run_program("sluice-bench", verbs, static_cast<int>(arguments.size()), arguments.data());
  std::istringstream lines(testing::internal::GetCapturedStdout());
  benchmark::ClearRegisteredBenchmarks();
  EXPECT_EQ(code, 0);
  std::set<std::string> names;
  for (std::string line; std::getline(lines, line);) names.insert(line);
  return names;
}

TEST(Micro, EveryKernelOfTheTableIsListed) {
  for (const Isa isa : runnable_isas()) {
    const std::set<std::string> names = listed(isa);
    const auto expect = [&](const std::string& name) { EXPECT_TRUE(names.contains(name)) << name; };
    const detail::KernelTable& kernels = *detail::kernel_table(isa);
    for (const WeightType weights : all_weight_types()) {
      const bool f32 = weights == WeightType::f32;
      const std::string type = f32 ? "" : fmt::format("/{}", name(weights));
      for (std::size_t family = 0; family < kernels.panel_count; ++family) {
        const detail::PanelKernels& panels = kernels.panels[static_cast<std::size_t>(weights.element)][family];
        for (const Arithmetic arithmetic : all_arithmetics()) {
          if (arithmetic == Arithmetic::f32 || !offered(weights, arithmetic)) continue;
          const detail::KernelTable& with_dots = *detail::kernel_table(isa, arithmetic);
          const auto* dots = detail::dot_kernels(with_dots, panels.tile.nr, weights.element, arithmetic);
          ASSERT_NE(dots, nullptr);
          const std::string kind = fmt::format("{}/{}", type, name(arithmetic));
          for (std::uint32_t mr = 1; mr <= dots->max_mr; ++mr)
            expect(fmt::format("micro/dot/{}/{}x{}/L1{}", name(isa), mr, dots->nr, kind));
          for (std::uint32_t mr = 1; mr <= dots->wide_rows; ++mr)
            expect(fmt::format("micro/dot_side_by_side/{}/{}x{}/L2{}", name(isa), mr, dots->nr, kind));
          expect(fmt::format("micro/quantise/{}/{}x{}/L2{}", name(isa), dots->max_mr, dots->nr, kind));
        }
        if (panels.widen_groups != nullptr) {
          expect(fmt::format("micro/widen_groups/{}/{}{}", name(isa), panels.tile.nr, type));
          continue;
        }
        if (!f32) expect(fmt::format("micro/widening/{}/{}x{}{}", name(isa), panels.tile.max_mr, panels.tile.nr, type));
        for (std::uint32_t mr = 1; mr <= panels.tile.max_mr; ++mr) {
          const std::string tile = fmt::format("{}/{}x{}", name(isa), mr, panels.tile.nr);
          for (const char* level : {"L1", "L2"}) {
            expect(fmt::format("micro/microkernel/{}/{}{}", tile, level, type));
            expect(fmt::format("micro/in_place/{}/{}{}", tile, level, type));
          }
          if (mr <= panels.stream_rows) expect(fmt::format("micro/stream/{}{}", tile, type));
          if (mr <= panels.wide_rows) expect(fmt::format("micro/wide/{}{}", tile, type));
        }
        for (std::uint32_t rows = 1; rows <= panels.interleaved_rows; ++rows)
          expect(fmt::format("micro/interleaved/{}/{}x{}{}", name(isa), rows, panels.tile.nr, type));
      }
    }
    for (const NamedKind& kind : kinds()) expect(fmt::format("micro/epilogue/{}/{}", name(isa), kind.name));
    expect(fmt::format("micro/pack_x/{}/2048", name(isa)));
  }
}

TEST(Micro, OnlyTheThreadsAskedForAreThere) {
  ThreadPool pool(2);
  const Isa isa = runnable_isas().back();
  std::vector<std::string> names;
  for (const Micro& micro : micros(isa, {}, {2}, pool)) names.push_back(micro.name);
  EXPECT_EQ(names, (std::vector<std::string>{"micro/barrier/t2", "micro/call/t2"}));
  for (const Micro& micro : micros(isa, {}, {1}, pool)) EXPECT_EQ(micro.threads, 1U) << micro.name;
}

TEST(Micro, EachGroupCanBeMeasured) {
  tuner::Machine machine;
  machine.l3 = std::size_t{1} << 20U;
  const Isa isa = runnable_isas().back();
  tuner::Clocks clocks(isa, machine, 2);
  std::vector<Micro> one_of_each;
  for (Micro& micro : micros(isa, machine.cache_sizes(), {1, 2}, clocks.executor()))
    if (one_of_each.empty() || one_of_each.back().group != micro.group) one_of_each.push_back(std::move(micro));
  MicroSession session(std::move(one_of_each), clocks, 2);
  std::set<std::string> groups;
  for (std::size_t i = 0; i < session.measurements().size(); ++i) {
    const MicroMeasurement& measured = session.measure(i);
    EXPECT_EQ(measured.error, "");
    ASSERT_FALSE(measured.samples.empty()) << measured.micro.name;
    EXPECT_GT(measured.samples.front().ns, 0);
    groups.insert(measured.micro.group);
  }
  std::set<std::string> expected{"barrier",       "call",     "dot",          "dot_side_by_side", "epilogue",
                                 "forward_empty", "in_place", "microkernel",  "pack_x",           "quantise",
                                 "stream",        "wide",     "widen_groups", "widening"};
  if (detail::kernel_table(isa)->panels[0][0].interleaved_rows != 0) expected.insert("interleaved");
  EXPECT_EQ(groups, expected);
}

}  // namespace
}  // namespace sluice::bench
