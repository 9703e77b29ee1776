// Owns: the thread pool, and what a fork does to it. Does not own: how many threads a process may use (cpus.cpp).
#include "sluice/executor.hpp"

#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <thread>
#include <vector>

#include "kernels/threads/spin.hpp"

namespace sluice {

struct ThreadPool::State {
  // Each worker waits on its own counter, so that a call wakes only the threads it uses.
  struct Worker {
    alignas(64) std::atomic<std::uint32_t> calls{0};
    std::thread thread;
  };

  std::mutex one_call;
  std::vector<std::unique_ptr<Worker>> workers;
  void (*task)(void*, std::uint32_t) = nullptr;  // this and context: published by a worker's counter
  void* context = nullptr;
  bool stop = false;
  std::atomic<std::uint32_t> running{0};  // workers that have yet to finish the current call

  void work(Worker& self, std::uint32_t index) noexcept {
    for (std::uint32_t seen = 0;; ++seen) {
      // Some tens of microseconds of spinning keep a stream of calls awake; then the thread sleeps.
      while (!detail::spin([&] { return self.calls.load(std::memory_order_acquire) != seen; }, 2000))
        self.calls.wait(seen, std::memory_order_acquire);
      if (stop) return;
      task(context, index);
      running.fetch_sub(1, std::memory_order_release);
    }
  }

  void wake(std::uint32_t count) noexcept {
    for (std::uint32_t i = 0; i < count; ++i) {
      workers[i]->calls.fetch_add(1, std::memory_order_release);
      workers[i]->calls.notify_one();
    }
  }

  bool start(std::uint32_t wanted) noexcept {
    if (stop) return false;
    try {
      while (workers.size() < wanted) {
        auto worker = std::make_unique<Worker>();
        const auto index = static_cast<std::uint32_t>(workers.size() + 1);
        workers.reserve(wanted);
        worker->thread = std::thread([this, self = worker.get(), index] { work(*self, index); });
        workers.push_back(std::move(worker));
      }
    } catch (...) {
      return false;
    }
    return true;
  }

  // Ends the threads for good.
  void close() noexcept {
    stop = true;
    wake(static_cast<std::uint32_t>(workers.size()));
    for (const auto& worker : workers) worker->thread.join();
    workers.clear();
  }

  ~State() { close(); }
};

// The pools of the process, so that a forked child, which has none of their threads, can give each a fresh state.
struct ThreadPool::Registry {
  std::mutex mutex;
  std::vector<ThreadPool*> pools;

  static Registry& get() {
    static Registry* const registry = [] {
      auto* made = new Registry;  // never destroyed: pools with static storage may outlive any order
      pthread_atfork([] { get().mutex.lock(); }, [] { get().mutex.unlock(); }, [] { get().renew(); });
      return made;
    }();
    return *registry;
  }
  void renew() {
    for (ThreadPool* pool : pools) {
      (void)pool->state_.release();  // its threads do not exist here: neither joining nor destroying is possible
      pool->state_ = std::make_unique<State>();
    }
    mutex.unlock();
  }
};

ThreadPool::ThreadPool(std::uint32_t threads) : threads_(std::max(1U, threads)), state_(std::make_unique<State>()) {
  Registry& registry = Registry::get();
  const std::lock_guard lock(registry.mutex);
  registry.pools.push_back(this);
}

ThreadPool::~ThreadPool() {
  Registry& registry = Registry::get();
  const std::lock_guard lock(registry.mutex);
  std::erase(registry.pools, this);
}

std::uint32_t ThreadPool::max_threads() const noexcept { return threads_; }

bool ThreadPool::run(std::uint32_t threads, void (*task)(void*, std::uint32_t), void* context) noexcept {
  if (threads <= 1) {
    task(context, 0);
    return true;
  }
  State& state = *state_;
  const std::lock_guard lock(state.one_call);
  if (threads > threads_ || !state.start(threads - 1)) return false;
  state.task = task;
  state.context = context;
  state.running.store(threads - 1, std::memory_order_relaxed);
  state.wake(threads - 1);
  task(context, 0);
  while (!detail::spin([&] { return state.running.load(std::memory_order_acquire) == 0; }, 1000)) sched_yield();
  return true;
}

void ThreadPool::close() noexcept {
  const std::lock_guard lock(state_->one_call);
  state_->close();
}

// Never destroyed, since the destructor of a global may still call forward. Its threads end with the program's static
// objects, or when the library is unloaded; whoever calls later works alone.
ThreadPool& ThreadPool::process_wide() {
  static auto* const pool = new ThreadPool;
  struct Closer {
    ~Closer() { pool->close(); }
  };
  static const Closer closer;
  return *pool;
}

}  // namespace sluice
