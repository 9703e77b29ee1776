// Owns: what the tests of the tuner share: a directory of their own, files that stand for another computer's, an
// example machine and profile, what a Failure said.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

#include "tuner/base/failure.hpp"
#include "tuner/machine/machine.hpp"
#include "tuner/profile/profile.hpp"

namespace sluice::tuner {

// A directory that is empty at first and removed at the end.
class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string name = (std::filesystem::temp_directory_path() / "sluice_test_XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary directory");
    path_ = name;
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  ~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

  // Writes a file, directories and all.
  std::filesystem::path write(const std::filesystem::path& name, std::string_view contents) const {
    std::filesystem::create_directories((path_ / name).parent_path());
    std::ofstream(path_ / name, std::ios::binary) << contents;
    return path_ / name;
  }

  // How many files there are, hidden ones included.
  [[nodiscard]] std::ptrdiff_t files() const {
    return std::distance(std::filesystem::recursive_directory_iterator(path_),
                         std::filesystem::recursive_directory_iterator());
  }

 private:
  std::filesystem::path path_;
};

// Writes the files of sysfs that tell the place of a CPU.
inline void place_cpu(const TemporaryDirectory& root, unsigned cpu, unsigned core, unsigned package = 0) {
  const std::string topology = "sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/topology/";
  root.write(topology + "core_id", std::to_string(core) + "\n");
  root.write(topology + "physical_package_id", std::to_string(package) + "\n");
}

// Puts the process into a version 2 control group, whose files are below sys/fs/cgroup.
inline void join_group(const TemporaryDirectory& root, const std::string& group) {
  root.write("proc/self/mountinfo", "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw\n");
  root.write("proc/self/cgroup", "0::" + group + "\n");
}

inline std::string contents_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

inline bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

// The Failure of a call; its code is 0 when there was none.
template <class Call>
Failure failure_of(Call call) {
  try {
    call();
  } catch (const Failure& failure) {
    return failure;
  }
  return {exit_code::ok, "no Failure"};
}

inline void expect_message(const Failure& failure, int code, std::initializer_list<std::string_view> parts) {
  EXPECT_EQ(failure.exit_code, code) << failure.message;
  EXPECT_EQ(failure.message.find('\n'), std::string::npos) << failure.message;
  for (const std::string_view part : parts) {
    EXPECT_NE(failure.message.find(part), std::string::npos) << "'" << part << "' is not in: " << failure.message;
  }
}

// A machine that is not this one; scalar runs on both.
inline Machine example_machine() {
  Machine machine;
  machine.vendor = "Example";
  machine.cpu = "Example CPU";
  machine.family = 6;
  machine.model = 143;
  machine.stepping = 8;
  machine.isas = {Isa::scalar};
  machine.l1d = 49152;
  machine.l2 = 2097152;
  machine.l3 = 62914560;
  machine.cores = 8;
  machine.cpus = 16;
  machine.available_threads = 4;
  machine.cgroup_quota = 3.5;
  machine.numa_nodes = 2;
  machine.memory_bytes = std::uint64_t{8} << 30U;
  machine.os = "Linux 6.1.0";
  machine.compiler = "GNU 12.2.0";
  machine.governor = "performance";
  machine.hypervisor = true;
  return machine;
}

// Valid for the scalar kernels, which every build has.
inline PlanRow example_row(Kind kind, std::uint32_t m) {
  const Shape shape{2048, 5632};
  return {Isa::scalar, kind, shape, m, 2, analytical_plan({}, Isa::scalar, kind, shape, m, 2)};
}

inline Profile example_profile() {
  Profile profile = make_profile(example_machine(), {"sluice", "tune", "--model", "tinyllama"});
  profile.roofs.fma = {{Isa::scalar, 1, 3.5e9}, {Isa::scalar, 2, 7e9}};
  profile.roofs.read = {{1, 3.1e10, 268435456}};
  profile.plans = {{example_row(relu, 1), std::nullopt},
                   {example_row(swiglu, 256), Measured{0.97, 0.96, 0.98, Verdict::faster, 12, 14, 0.91, 0.1}}};
  return profile;
}

}  // namespace sluice::tuner
