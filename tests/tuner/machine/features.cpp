// The features that follow from the registers of a CPU and from the operating system's names.
#include "tuner/machine/features.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <string>

namespace sluice::tuner {
namespace {

using Names = std::vector<std::string_view>;

TEST(Features, OfArmComeFromBothHwcapWords) {
  EXPECT_EQ(arm_features(0, 0), Names{});
  EXPECT_EQ(arm_features(1U << 1U, 0), Names{"asimd"});
  // As a Neoverse-N1 and a Neoverse-V1 report themselves.
  EXPECT_EQ(arm_features((1U << 1U) | (1U << 10U) | (1U << 20U), 0), (Names{"asimd", "fp16", "dotprod"}));
  EXPECT_EQ(arm_features((1U << 1U) | (1U << 10U) | (1U << 20U) | (1U << 22U), (1U << 13U) | (1U << 14U)),
            (Names{"asimd", "fp16", "dotprod", "bf16", "i8mm", "sve"}));
  EXPECT_EQ(arm_features(0, (1U << 1U) | (1U << 23U)), (Names{"sve2", "sme"}));
}

TEST(Features, OfX86NeedTheStateTheOperatingSystemKeeps) {
  const X86State cpu{1U << 29U, 1U << 11U, (1U << 22U) | (1U << 23U) | (1U << 24U) | (1U << 25U),
                     (1U << 4U) | (1U << 5U), 0};
  const auto with = [&](std::uint64_t xcr0) {
    X86State state = cpu;
    state.xcr0 = xcr0;
    return x86_features(state);
  };
  EXPECT_EQ(with(0), Names{});
  EXPECT_EQ(with(0x7), (Names{"f16c", "avx_vnni"}));
  EXPECT_EQ(with(0xE7), (Names{"f16c", "avx_vnni", "avx512_vnni", "avx512_bf16", "avx512_fp16"}));
  EXPECT_EQ(with(0x600E7).size(), 8U);
  EXPECT_EQ(with(0x200E7).size(), 5U);  // half of the tiles' state is none
}

// Linux lists features under names of its own.
TEST(Features, OfThisMachineAgreeWithLinux) {
  std::ifstream file("/proc/cpuinfo");
  std::string flags;
  for (std::string line; flags.empty() && std::getline(file, line);) {
    if (line.starts_with("flags") || line.starts_with("Features")) flags = line + " ";
  }
  const Names found = cpu_features();
  if (flags.starts_with("flags") && std::find(found.begin(), found.end(), "asimd") == found.end()) {
    for (const char* name : {"f16c", "avx_vnni", "avx512_vnni", "avx512_bf16", "amx_tile", "amx_int8", "amx_bf16"}) {
      EXPECT_EQ(std::find(found.begin(), found.end(), name) != found.end(),
                flags.find(" " + std::string(name) + " ") != std::string::npos)
          << name;
    }
  } else if (flags.starts_with("Features")) {
    EXPECT_EQ(std::find(found.begin(), found.end(), "asimd") != found.end(),
              flags.find(" asimd ") != std::string::npos);
  }
}

}  // namespace
}  // namespace sluice::tuner
