// Owns: a peer's process: starting it, asking it, stopping it between its turns, ending it on every path.
// Does not own: what it is asked (prepared_peer.hpp), its side of the conversation (peers/worker.cpp).
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

namespace sluice::bench {

// What went wrong with a peer; never the end of a run.
struct PeerError : std::exception {
  explicit PeerError(std::string text) : message(std::move(text)) {}
  [[nodiscard]] const char* what() const noexcept override { return message.c_str(); }

  std::string message;
};

struct PeerProgram {
  std::string name;
  std::filesystem::path path;
};

// The executable files of the directory, by name; none when it is not there.
std::vector<PeerProgram> find_peers(const std::filesystem::path& directory);
// SLUICE_PEERS_PATH, else the folder `peers` beside this program.
std::filesystem::path peers_directory();

// The process is stopped whenever it is not asked anything: threads that spin in wait for work would disturb others.
// It has a process group of its own, out of the terminal's reach, and dies with this one.
class PeerProcess {
 public:
  using Seconds = std::chrono::duration<double>;

  // Throws PeerError when it cannot be started.
  PeerProcess(const PeerProgram& program, std::uint32_t threads);
  ~PeerProcess();
  PeerProcess(const PeerProcess&) = delete;
  PeerProcess& operator=(const PeerProcess&) = delete;

  // Its answer. Throws PeerError when it answers {"error"}; and, the process then being gone, when it ends, answers
  // nonsense or takes longer than the limit, or when interrupted().
  nlohmann::json ask(const nlohmann::json& question, Seconds limit);

  [[nodiscard]] bool alive() const noexcept { return pid_ > 0; }
  [[nodiscard]] pid_t pid() const noexcept { return pid_; }
  [[nodiscard]] const std::string& name() const noexcept { return name_; }

 private:
  std::string read_line(Seconds limit);
  void resume() const;
  void stop();
  void end() noexcept;
  // Ends the process and throws, its last words on standard error appended.
  [[noreturn]] void give_up(const std::string& reason);
  [[nodiscard]] std::string last_words() const;

  std::string name_;
  pid_t pid_ = 0;
  int socket_ = -1;
  int errors_ = -1;  // a nameless file
  std::string how_it_ended_;
  std::string unread_;
};

}  // namespace sluice::bench
