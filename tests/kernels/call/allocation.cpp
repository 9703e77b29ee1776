// forward allocates nothing, and works when no memory is left; packing by ranges of columns takes the packed weights.
// The program counts every allocation of its process, so it holds no other test.
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
std::atomic<std::size_t> bytes_asked{0};
std::atomic<bool> exhausted{false};  // there is no memory left

void count(std::size_t bytes) {
  ++allocations;
  bytes_asked += bytes;
}
}  // namespace

#if defined(SLUICE_SANITIZED) || !defined(__GLIBC__)
// A sanitizer owns malloc, so only the C++ operators can be counted.
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  count(size);
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
void* __libc_calloc(std::size_t number, std::size_t size);
void* __libc_realloc(void* memory, std::size_t size);
void* __libc_memalign(std::size_t alignment, std::size_t size);

void* malloc(std::size_t size) {
  count(size);
  return exhausted ? nullptr : __libc_malloc(size);
}
void* calloc(std::size_t number, std::size_t size) {
  count(number * size);
  return exhausted ? nullptr : __libc_calloc(number, size);
}
void* realloc(void* memory, std::size_t size) {
  count(size);
  return exhausted ? nullptr : __libc_realloc(memory, size);
}
void* aligned_alloc(std::size_t alignment, std::size_t size) {
  count(size);
  return exhausted ? nullptr : __libc_memalign(alignment, size);
}
int posix_memalign(void** memory, std::size_t alignment, std::size_t size) {
  count(size);
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

// What packing takes beside the packed weights does not grow with their number. (A sanitizer's build counts what comes
// from C++ operators, and so not the packed weights.)
TEST(Allocation, PackingByRangesTakesThePackedWeightsAndABitForEachColumn) {
  constexpr std::size_t step = 48;
  const std::vector<float> piece(step * 2048, 0.5F);
  for (const Shape shape : {Shape{64, 96}, Shape{96, 256}, Shape{1024, 2048}}) {
    const std::size_t before = bytes_asked;
    Result<FfnPacker> packer = FfnPacker::create(shape, swiglu);
    ASSERT_TRUE(packer.ok()) << packer.status().message();
    const std::size_t created = allocations;
    for (const Role role : {Role::gate, Role::up, Role::down}) {
      const std::size_t columns = role == Role::down ? shape.d_model : shape.d_ff;
      for (std::size_t first = 0; first < columns; first += step) {
        const std::size_t width = std::min(step, columns - first);
        ASSERT_TRUE(packer->pack(role, first, width, {piece.data(), Order::out_in}).ok());
        ASSERT_TRUE(packer->pack_bias(role, first, width, piece.data()).ok());
      }
    }
    const Result<Ffn> ffn = packer->finish();
    EXPECT_EQ(allocations - created, 0U);
    ASSERT_TRUE(ffn.ok()) << ffn.status().message();
    // Larger buffers have whole pages, the last of which may be huge.
    const std::size_t pages = ffn->packed_size() < (std::size_t{1} << 19U) ? 0 : std::size_t{2} << 20U;
    EXPECT_LE(bytes_asked - before, ffn->packed_size() + pages + (2 * shape.d_ff + shape.d_model) / 8 + 2048);
  }
}

INSTANTIATE_TEST_SUITE_P(Kernels, Allocation, every_kernel(), kernel_name);

}  // namespace
}  // namespace sluice::tests
