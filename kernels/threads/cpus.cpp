#include "kernels/threads/cpus.hpp"

#include <sched.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <memory>
#include <thread>

#include "kernels/element_types/float_mode.hpp"
#include "kernels/threads/control_groups.hpp"
#include "sluice/executor.hpp"

namespace sluice {
namespace detail {

std::vector<unsigned> affinity_mask() {
  std::vector<unsigned> cpus;
#if defined(__linux__)
  // The call fails while the mask is smaller than the kernel's, whose size nothing tells. A cpu_set_t has 1024.
  constexpr std::size_t most = std::size_t{1} << 20U;
  for (std::size_t count = CPU_SETSIZE; count <= most; count *= 2) {
    struct Free {
      void operator()(cpu_set_t* set) const noexcept { CPU_FREE(set); }
    };
    const std::unique_ptr<cpu_set_t, Free> set(CPU_ALLOC(count));
    if (set == nullptr) return cpus;
    const std::size_t bytes = CPU_ALLOC_SIZE(count);
    CPU_ZERO_S(bytes, set.get());
    if (sched_getaffinity(0, bytes, set.get()) != 0) {
      if (errno == EINVAL) continue;
      return cpus;
    }
    for (std::size_t cpu = 0; cpu < count; ++cpu) {
      if (CPU_ISSET_S(cpu, bytes, set.get())) cpus.push_back(static_cast<unsigned>(cpu));
    }
    return cpus;
  }
#endif
  return cpus;
}

std::uint32_t threads_within(std::optional<double> quota, std::uint32_t threads) noexcept {
  if (!quota || !(*quota < static_cast<double>(threads))) return threads;
  return std::max(1U, static_cast<std::uint32_t>(std::ceil(*quota)));
}

}  // namespace detail

std::uint32_t available_threads() noexcept {
  const detail::FloatMode mode;  // a host may trap inexact results
  std::uint32_t count = std::max(1U, std::thread::hardware_concurrency());
  try {
    const std::vector<unsigned> cpus = detail::affinity_mask();
    if (!cpus.empty()) count = static_cast<std::uint32_t>(cpus.size());
    return detail::threads_within(detail::cpu_quota("/"), count);
  } catch (...) {  // no memory to look further
    return count;
  }
}

}  // namespace sluice
