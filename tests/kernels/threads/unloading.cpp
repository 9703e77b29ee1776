// A shared library with Sluice in it is loaded, used and unloaded: its threads end before its code goes.
#include <dlfcn.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <iterator>
#include <thread>

namespace sluice::tests {
namespace {

constexpr int times = 3;

std::ptrdiff_t threads_of_process() {
  return std::distance(std::filesystem::directory_iterator("/proc/self/task"), std::filesystem::directory_iterator());
}

// Whether the process comes to have so many threads. A thread that was joined may be listed for a little longer, since
// its caller is woken before the kernel has taken it apart; one that was not ended is listed for ever.
bool threads_become(std::ptrdiff_t expected) {
  using namespace std::chrono_literals;
  for (const auto end = std::chrono::steady_clock::now() + 60s; std::chrono::steady_clock::now() < end;) {
    if (threads_of_process() == expected) return true;
    std::this_thread::sleep_for(1ms);
  }
  return false;
}

// Returns the plugin's answer, and whether its code is gone after that.
std::pair<float, bool> load_use_unload() {
  void* const plugin = ::dlopen(SLUICE_TEST_PLUGIN, RTLD_NOW | RTLD_LOCAL);
  if (plugin == nullptr) return {-2.0F, false};
  const auto answer = reinterpret_cast<float (*)()>(::dlsym(plugin, "sluice_plugin_answer"));
  const float value = answer != nullptr ? answer() : -3.0F;
  ::dlclose(plugin);
  void* const still = ::dlopen(SLUICE_TEST_PLUGIN, RTLD_NOW | RTLD_NOLOAD);
  if (still != nullptr) ::dlclose(still);
  return {value, still == nullptr};
}

// The pool is never destroyed, since destructors of globals may use it, so some 200 bytes stay behind with each
// unloading. A leak sanitizer calls them lost, and rightly so.
class Unloading : public testing::Test {
 protected:
  void SetUp() override {
#if defined(__SANITIZE_ADDRESS__)
    GTEST_SKIP() << "an unloaded library leaves its pool behind";
#endif
  }
};

TEST_F(Unloading, EndsTheThreadsAndMayBeRepeated) {
  const std::ptrdiff_t before = threads_of_process();
  const float expected = load_use_unload().first;
  ASSERT_GT(expected, 0.0F) << SLUICE_TEST_PLUGIN;
  for (int i = 0; i < times; ++i) {
    const auto [value, gone] = load_use_unload();
    EXPECT_EQ(value, expected);
    EXPECT_TRUE(gone);
    EXPECT_TRUE(threads_become(before)) << threads_of_process() << " threads, before " << before;
  }
}

TEST_F(Unloading, AForkAfterwardsCallsNothingOfIt) {
  ASSERT_GT(load_use_unload().first, 0.0F);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) ::_exit(load_use_unload().first > 0.0F ? 0 : 1);
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace sluice::tests
