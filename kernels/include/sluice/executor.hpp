// Owns: the threads that share a call: the interface a host may implement, and the library's own pool.
#pragma once

#include <cstdint>
#include <memory>

#include "sluice/status.hpp"

namespace sluice {

// Threads this process may really use: the CPUs of its affinity mask, at most the cgroup quota rounded up; ≥ 1.
std::uint32_t available_threads() noexcept;

// Runs the parts of one call. An adapter for a host's own runtime implements two functions.
class Executor {
 public:
  Executor() = default;
  Executor(const Executor&) = delete;
  Executor& operator=(const Executor&) = delete;
  virtual ~Executor() = default;

  // The most parts run() accepts; at least 1.
  [[nodiscard]] virtual std::uint32_t max_threads() const noexcept = 0;

  // Calls task(context, 0) … task(context, threads − 1), each on its own thread and all at the same time (they wait
  // for each other at barriers), and returns true when all have returned. 1 ≤ threads ≤ max_threads(). Returns false,
  // having called nothing, when it cannot have that many threads now. May be called from several threads, but not by a
  // task.
  virtual bool run(std::uint32_t threads, void (*task)(void* context, std::uint32_t index), void* context) noexcept = 0;
};

// A pool of threads that spin for a moment, then sleep. The caller is thread 0. One call at a time runs; others wait,
// so a task that calls its own pool waits for ever. After fork() the child's pool starts new threads on first use.
class ThreadPool final : public Executor {
 public:
  // Threads including the caller, at least 1; they start on first use. Throws std::bad_alloc.
  explicit ThreadPool(std::uint32_t threads = available_threads());
  // Must not be called while a call runs.
  ~ThreadPool() override;

  [[nodiscard]] std::uint32_t max_threads() const noexcept override;
  bool run(std::uint32_t threads, void (*task)(void* context, std::uint32_t index), void* context) noexcept override;

  // The pool that calls without an executor share; available_threads() threads. Throws std::bad_alloc. Its threads end
  // with the program's static objects. A forward after that, from the destructor of a global, is computed by its
  // caller.
  static ThreadPool& process_wide();

 private:
  void close() noexcept;

  struct State;
  struct Registry;
  std::uint32_t threads_;
  std::unique_ptr<State> state_;
};

}  // namespace sluice
