// Owns: a peer's process: starting it, sending it requests, stopping it between its turns, ending it on every path.
// Does not own: the requests (prepared_peer.hpp), its side of the protocol (peers/worker.cpp).
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

// What went wrong with a peer. It never ends a run.
struct PeerError : std::exception {
  explicit PeerError(std::string text) : message(std::move(text)) {}
  [[nodiscard]] const char* what() const noexcept override { return message.c_str(); }

  std::string message;
};

struct PeerProgram {
  std::string name;
  std::filesystem::path path;
};

// Returns the executable files of the directory by name, none if the directory does not exist.
std::vector<PeerProgram> find_peers(const std::filesystem::path& directory);
// Returns SLUICE_PEERS_PATH, or else the folder `peers` beside this program.
std::filesystem::path peers_directory();

// The process is stopped between requests, because threads that spin while they wait for work would disturb others. It
// has a process group of its own, which the terminal's signals do not reach, and it ends with this process.
class PeerProcess {
 public:
  using Seconds = std::chrono::duration<double>;

  // Throws PeerError if it cannot be started.
  PeerProcess(const PeerProgram& program, std::uint32_t threads);
  ~PeerProcess();
  PeerProcess(const PeerProcess&) = delete;
  PeerProcess& operator=(const PeerProcess&) = delete;

  // Returns its answer. Throws PeerError if it answers {"error"}. If it ends, sends something malformed, takes longer
  // than the limit, or interrupted() holds, the process is ended and PeerError thrown.
  nlohmann::json ask(const nlohmann::json& question, Seconds limit);

  [[nodiscard]] bool alive() const noexcept { return pid_ > 0; }
  [[nodiscard]] pid_t pid() const noexcept { return pid_; }
  [[nodiscard]] const std::string& name() const noexcept { return name_; }

 private:
  std::string read_line(Seconds limit);
  void resume() const;
  void stop();
  void end() noexcept;
  // Ends the process and throws PeerError with what it last wrote to standard error.
  [[noreturn]] void give_up(const std::string& reason);
  [[nodiscard]] std::string last_words() const;

  std::string name_;
  pid_t pid_ = 0;
  int socket_ = -1;
  int errors_ = -1;  // an anonymous file
  std::string how_it_ended_;
  std::string unread_;
};

}  // namespace sluice::bench
