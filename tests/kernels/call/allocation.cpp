// forward allocates nothing, and works when no memory is left. The program counts every allocation of its process, so
// it holds no other test.
#include <atomic>
#include <cstdlib>
#include <new>

#include "tests/kernels/support.hpp"

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define SLUICE_SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SLUICE_SANITIZED 1
#endif

namespace {
std::atomic<std::size_t> allocations{0};
std::atomic<bool> exhausted{false};  // there is no memory left
}  // namespace

#if defined(SLUICE_SANITIZED) || !defined(__GLIBC__)
// A sanitizer owns malloc, so only the C++ operators can be counted.
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  ++allocations;
  return exhausted ? nullptr : std::malloc(size == 0 ? 1 : size);
}
void* operator new(std::size_t size) {
  if (void* memory = operator new(size, std::nothrow)) {
    return memory;
  }
  throw std::bad_alloc();
}
void* operator new[](std::size_t size) { return operator new(size); }
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept { return operator new(size, std::nothrow); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }
#else
// Replaces the C library's functions, which call its internal ones.
// NOLINTBEGIN(bugprone-reserved-identifier,readability-identifier-naming,readability-inconsistent-declaration-parameter-name)
extern "C" {
void* __libc_malloc(std::size_t size);
void* __libc_calloc(std::size_t count, std::size_t size);
void* __libc_realloc(void* memory, std::size_t size);
void* __libc_memalign(std::size_t alignment, std::size_t size);

void* malloc(std::size_t size) {
  ++allocations;
  return exhausted ? nullptr : __libc_malloc(size);
}
void* calloc(std::size_t count, std::size_t size) {
  ++allocations;
  return exhausted ? nullptr : __libc_calloc(count, size);
}
void* realloc(void* memory, std::size_t size) {
  ++allocations;
  return exhausted ? nullptr : __libc_realloc(memory, size);
}
void* aligned_alloc(std::size_t alignment, std::size_t size) {
  ++allocations;
  return exhausted ? nullptr : __libc_memalign(alignment, size);
}
int posix_memalign(void** memory, std::size_t alignment, std::size_t size) {
  ++allocations;
  *memory = exhausted ? nullptr : __libc_memalign(alignment, size);
  return *memory == nullptr ? ENOMEM : 0;
}
}
// NOLINTEND(bugprone-reserved-identifier,readability-identifier-naming,readability-inconsistent-declaration-parameter-name)
#endif

namespace sluice::tests {
namespace {

TEST(Allocation, IsCounted) {
  const std::size_t before = allocations;
  const std::vector<int> seen(100);
  EXPECT_GT(allocations, before) << seen.size();
}

// Runs before any other test, while the shared pool does not exist yet.
TEST(Allocation, WithoutMemoryForThreadsTheCallerWorksAlone) {
  const Kind swiglu{Activation::silu, true};
  const tuner::Problem problem({swiglu, {67, 131}, 29, true, Order::in_out, false, false, 5});
  ThreadPool alone(1);
  PackOptions pack = pack_options(Isa::scalar);
  pack.executor = &alone;
  const Result<Ffn> ffn = Ffn::pack({67, 131}, swiglu, problem.weights(), pack);
  ASSERT_TRUE(ffn.ok()) << ffn.status().message();
  const Workspace workspace(*ffn->workspace_size(29));
  std::vector<float> y(problem.y.size());
  std::vector<float> expected(problem.y.size());
  exhausted = true;
  const Status status = ffn->forward(problem.x.data(), 29, y.data(), workspace);
  exhausted = false;
  EXPECT_TRUE(status.ok()) << status.message();
  EXPECT_TRUE(ffn->forward(problem.x.data(), 29, expected.data(), workspace).ok());
  EXPECT_EQ(y, expected);
}

class Allocation : public PerKernel {};

TEST_P(Allocation, NoneInForward) {
  const tuner::Problem problem({kind(), {67, 131}, 29, true, Order::in_out, false, false, 5});
  const Result<Ffn> ffn = Ffn::pack({67, 131}, kind(), problem.weights(), pack_options(isa()));
  ASSERT_TRUE(ffn.ok()) << ffn.status().message();
  ThreadPool pool(3);
  tuner::Random random(4);
  std::vector<float> y(problem.y.size());
  for (int trial = 0; trial < 20; ++trial) {
    const Plan plan = tuner::random_plan(random, isa(), kind(), ffn->nr(), 3);
    const Workspace workspace(*ffn->workspace_size(29, plan));
    ForwardOptions options;
    options.executor = &pool;
    options.plan = &plan;
    // The pool's threads start on first use.
    ASSERT_TRUE(ffn->forward(problem.x.data(), 29, y.data(), workspace, options).ok());
    const std::size_t before = allocations;
    const Status status = ffn->forward(problem.x.data(), 29, y.data(), workspace, options);
    const std::size_t after = allocations;
    EXPECT_TRUE(status.ok()) << status.message();
    EXPECT_EQ(after - before, 0U) << tuner::describe(plan);
  }
  // A call that fails allocates nothing either.
  const std::size_t before = allocations;
  const Status status = ffn->forward(nullptr, 29, y.data(), Workspace());
  const std::size_t after = allocations;
  EXPECT_FALSE(status.ok());
  EXPECT_EQ(after - before, 0U);
}

INSTANTIATE_TEST_SUITE_P(Kernels, Allocation, every_kernel(), kernel_name);

}  // namespace
}  // namespace sluice::tests
