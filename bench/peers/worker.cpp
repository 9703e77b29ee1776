// Owns: a C++ peer's process: its conversation with `sluice bench`, the choice of its best variant, its clock.
// Does not own: the library (peer.hpp), when it is its turn (bench/peer_runner/prepared_peer.hpp).
//
// One JSON object per line, a question on standard input and its answer on standard output:
//   {"command": "describe"}                       → {"name", "version", "note"}
//   {"command": "prepare", "kind", "d_model", "d_ff", "m", "threads", "copies", "memory": {"path", "bytes", "gate",
//    "up", "down", "x", "y"}}, once               → {"variant", "tried": {variant: ns}}; y holds the result
//   {"command": "run"}                            → {"ns"}; y holds the result
// Any answer may be {"error"} instead. The end of the input ends the process. The memory is a file that both map; gate,
// up, down, x and y are offsets of dense float32 arrays in it, the weights [in, out], gate null for a plain kind.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <iostream>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <stdexcept>

#include "bench/peers/peer.hpp"

namespace sluice::peers {
namespace {

using Json = nlohmann::ordered_json;
using SteadyClock = std::chrono::steady_clock;

// The file shared with the benchmark, mapped.
class SharedMemory {
 public:
  explicit SharedMemory(const Json& json) : bytes_(json.at("bytes")) {
    const std::string path = json.at("path");
    const int file = open(path.c_str(), O_RDWR | O_CLOEXEC);
    if (file < 0) throw std::runtime_error("cannot open " + path);
    data_ = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (data_ == MAP_FAILED) throw std::runtime_error("cannot map " + path);
  }
  ~SharedMemory() { munmap(data_, bytes_); }
  SharedMemory(const SharedMemory&) = delete;
  SharedMemory& operator=(const SharedMemory&) = delete;

  [[nodiscard]] float* at(const Json& offset) const {
    return offset.is_null() ? nullptr : reinterpret_cast<float*>(static_cast<char*>(data_) + offset.get<std::size_t>());
  }

 private:
  std::size_t bytes_;
  void* data_;
};

class Cell {
 public:
  explicit Cell(const Json& json) : memory_(json.at("memory")) {
    const std::string kind_name = json.at("kind");
    const std::optional<Kind> kind = parse_kind(kind_name);
    if (!kind) throw std::runtime_error(kind_name + ": not a kind");
    const Json& memory = json.at("memory");
    problem_ = {*kind,
                {json.at("d_model"), json.at("d_ff")},
                json.at("m"),
                json.at("threads"),
                json.at("copies"),
                memory_.at(memory.at("gate")),
                memory_.at(memory.at("up")),
                memory_.at(memory.at("down")),
                memory_.at(memory.at("x")),
                memory_.at(memory.at("y"))};
  }

  // Keeps the variant whose fastest trial is the fastest. What a variant throws makes it no candidate.
  Json choose() {
    Json tried = Json::object();
    double best = std::numeric_limits<double>::infinity();
    std::string failure = "no variant";
    for (const Variant& variant : library.variants(problem_)) {
      try {
        std::unique_ptr<Composition> composition = variant.make(problem_);
        const double ns = trial(*composition, best);
        tried[variant.name] = ns;
        if (ns >= best) continue;
        best = ns;
        name_ = variant.name;
        composition_ = std::move(composition);
      } catch (const std::exception& error) {
        failure = variant.name + ": " + error.what();
      }
    }
    if (composition_ == nullptr) throw std::runtime_error(failure);
    forward();  // so that y is the chosen one's
    return {{"variant", name_}, {"tried", tried}};
  }

  // In a steady stream of calls the threads are awake and the code is in the caches: one forward is not counted.
  double run() {
    forward();
    return timed();
  }

 private:
  void forward() { composition_->forward(next_++ % problem_.copies); }

  double timed() {
    const auto begin = SteadyClock::now();
    forward();
    return std::chrono::duration<double, std::nano>(SteadyClock::now() - begin).count();
  }

  // The fastest of some runs over all copies: five, and more within a quarter of a second. One that is hopeless against
  // the best so far (a reference loop can take seconds) has one.
  double trial(Composition& composition, double best) const {
    constexpr double hopeless = 5;
    double fastest = std::numeric_limits<double>::infinity();
    const auto end = SteadyClock::now() + std::chrono::milliseconds(250);
    for (std::size_t i = 0; i <= 5 || (SteadyClock::now() < end && i <= 1000); ++i) {
      const auto begin = SteadyClock::now();
      composition.forward(i % problem_.copies);
      const double ns = std::chrono::duration<double, std::nano>(SteadyClock::now() - begin).count();
      if (i > 0) fastest = std::min(fastest, ns);  // the first one touches memory and wakes threads
      if (i == 1 && ns > hopeless * best) break;
    }
    return fastest;
  }

  SharedMemory memory_;
  Problem problem_;
  std::string name_;
  std::unique_ptr<Composition> composition_;
  std::size_t next_ = 0;
};

Json answer(const Json& question, std::unique_ptr<Cell>& cell) {
  const std::string command = question.at("command");
  if (command == "describe") return {{"name", library.name}, {"version", library.version()}, {"note", library.note()}};
  if (command == "prepare") {
    cell = std::make_unique<Cell>(question);
    return cell->choose();
  }
  if (command == "run" && cell != nullptr) return {{"ns", cell->run()}};
  throw std::runtime_error(command + ": not a command, or not prepared");
}

// What libraries print on standard output must not mix with answers: it goes to standard error.
std::FILE* take_standard_output() {
  const int answers = dup(STDOUT_FILENO);
  dup2(STDERR_FILENO, STDOUT_FILENO);
  return fdopen(answers, "w");
}

int converse() {
  std::FILE* const answers = take_standard_output();
  if (answers == nullptr) return 1;
  std::unique_ptr<Cell> cell;
  for (std::string line; std::getline(std::cin, line);) {
    Json reply;
    try {
      reply = answer(Json::parse(line), cell);
    } catch (const std::exception& error) {
      reply = {{"error", error.what()}};
    }
    std::fprintf(answers, "%s\n", reply.dump(-1, ' ', true, Json::error_handler_t::replace).c_str());
    std::fflush(answers);
  }
  return 0;
}

}  // namespace
}  // namespace sluice::peers

int main() {
  try {
    return sluice::peers::converse();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
