// Owns: a C++ peer's process: its conversation with `sluice bench`, the choice of its best variant, its clock.
// Does not own: the library (peer.hpp), when it is its turn (bench/peer_runner/prepared_peer.hpp).
//
// One JSON object per line, a question on standard input and its answer on standard output:
//   {"command": "describe"}           → {"name", "version", "note"}
//   {"command": "prepare", "kind", "weights": {"name", "element", "group"}, "d_model", "d_ff", "m", "threads",
//   "copies",
//    "memory": {"path", "bytes", "gate", "up", "down", "x", "y", and "gate_elements", "gate_scales", "gate_zeros", … of
//    all three}}, once                             → {"forms": [{"name", "rounds"}]}: the ways it has for this type of
//    weights
//   {"command": "pack", "form": 0}    → {}; y holds that form's result
//   {"command": "try"}                → {"ns"}: how fast the form packed last is; the fastest one is kept
//   {"command": "run"}                → {"ns"}, of the fastest one; y holds the result
// Any answer may be {"error"} instead. The end of the input ends the process. The memory is a file that both map, with
// an offset for each array, null for one that does not exist. gate, up and down are dense float32 arrays [in, out] of
// the values that the weights have in their type, gate null for a plain kind; x and y are float32. Of a type with
// scales there are elements, bytes [out, in], and scales [out, groups of k], f16 or E8M0. What a form rounds is
// {"inputs", "group", "scales", "weights", "results", "activation"}, as in peer.hpp.
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
#include <string>
#include <utility>
#include <vector>

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

  [[nodiscard]] float* at(const Json& offset) const { return reinterpret_cast<float*>(byte(offset)); }
  [[nodiscard]] Codes codes(const Json& elements, const Json& scales, const Json& zeros) const {
    return {reinterpret_cast<const std::int8_t*>(byte(elements)), byte(scales),
            reinterpret_cast<const std::uint8_t*>(byte(zeros))};
  }

 private:
  [[nodiscard]] char* byte(const Json& offset) const {
    return offset.is_null() ? nullptr : static_cast<char*>(data_) + offset.get<std::size_t>();
  }

  std::size_t bytes_;
  void* data_;
};

class Cell {
 public:
  explicit Cell(const Json& json) : memory_(json.at("memory")) {
    const std::string kind_name = json.at("kind");
    const std::string type_name = json.at("weights").at("name");
    std::optional<Kind> kind = parse_kind(kind_name);
    const std::optional<WeightType> type = parse_weight_type(type_name);
    if (!kind) throw std::runtime_error(kind_name + ": not a kind");
    if (!type) throw std::runtime_error(type_name + ": not a type of weights");
    kind->weights = *type;
    const Json& memory = json.at("memory");
    const auto codes = [&](const std::string& matrix) {
      return memory_.codes(memory.at(matrix + "_elements"), memory.at(matrix + "_scales"),
                           memory.at(matrix + "_zeros"));
    };
    problem_ = {*kind,
                {json.at("d_model"), json.at("d_ff")},
                json.at("m"),
                json.at("threads"),
                json.at("copies"),
                memory_.at(memory.at("gate")),
                memory_.at(memory.at("up")),
                memory_.at(memory.at("down")),
                memory_.at(memory.at("x")),
                memory_.at(memory.at("y")),
                codes("gate"),
                codes("up"),
                codes("down")};
    if (*type == WeightType::f32)
      variants_ = library.variants(problem_);
    else if (library.variants_of_smaller != nullptr)
      variants_ = library.variants_of_smaller(problem_);
  }

  [[nodiscard]] Json forms() const {
    Json list = Json::array();
    for (const Variant& variant : variants_) {
      const Rounding& rounds = variant.rounds;
      list.push_back({{"name", variant.name},
                      {"rounds",
                       {{"inputs", rounds.inputs},
                        {"group", rounds.group},
                        {"scales", rounds.scales},
                        {"weights", rounds.weights},
                        {"results", rounds.results},
                        {"activation", rounds.activation}}}});
    }
    return list;
  }

  void pack(std::size_t form) {
    candidate_.reset();
    candidate_ = variants_.at(form).make(problem_);
    candidate_->forward(0);
  }

  // Keeps the one whose fastest trial is the fastest.
  double try_candidate() {
    if (candidate_ == nullptr) throw std::runtime_error("try: nothing is packed");
    const double ns = trial(*candidate_, best_);
    if (ns < best_) {
      best_ = ns;
      composition_ = std::move(candidate_);
    }
    candidate_.reset();
    return ns;
  }

  // In a steady stream of calls the threads are awake and the code is in the caches: one forward is not counted.
  double run() {
    candidate_.reset();  // one that was not tried, since its answer was wrong
    if (composition_ == nullptr) throw std::runtime_error("run: no form was tried");
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
  std::vector<Variant> variants_;
  std::unique_ptr<Composition> candidate_, composition_;
  double best_ = std::numeric_limits<double>::infinity();
  std::size_t next_ = 0;
};

Json answer(const Json& question, std::unique_ptr<Cell>& cell) {
  const std::string command = question.at("command");
  if (command == "describe") return {{"name", library.name}, {"version", library.version()}, {"note", library.note()}};
  if (command == "prepare") {
    cell = std::make_unique<Cell>(question);
    return {{"forms", cell->forms()}};
  }
  if (command == "pack" && cell != nullptr) {
    cell->pack(question.at("form"));
    return Json::object();
  }
  if (command == "try" && cell != nullptr) return {{"ns", cell->try_candidate()}};
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
