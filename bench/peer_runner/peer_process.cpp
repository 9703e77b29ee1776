#include "bench/peer_runner/peer_process.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__linux__)
#include <sys/prctl.h>
#endif

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <sstream>
#include <string_view>
#include <vector>

#include "bench/peer_runner/anonymous_file.hpp"
#include "tuner/base/interruption.hpp"

namespace sluice::bench {
namespace {

using SteadyClock = std::chrono::steady_clock;

// The settings a competent user would choose: the thread count in the terms of every runtime, and threads that spin
// while they wait for the next call. Threads are not bound to cores, since Sluice's are not either. The caller's own
// settings of these runtimes are removed, because they would become part of the result.
std::vector<std::string> environment(std::uint32_t threads) {
  std::vector<std::string> variables;
  constexpr std::string_view runtimes[] = {"OMP_",  "GOMP_",      "KMP_",    "OPENBLAS_", "GOTO_",     "BLIS_",
                                           "MKL_",  "DNNL_",      "ONEDNN_", "LIBXSMM_",  "TBB_",      "PYTHON",
                                           "ATEN_", "TORCH",      "ORT_",    "OV_",       "OPENVINO_", "DPCPP_",
                                           "SYCL_", "CL_CONFIG_", "MKLDNN_"};
  for (char** variable = environ; *variable != nullptr; ++variable) {
    const std::string_view text = *variable;
    if (std::none_of(std::begin(runtimes), std::end(runtimes),
                     [&](std::string_view prefix) { return text.starts_with(prefix); }))
      variables.emplace_back(text);
  }
  for (const char* name : {"OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "BLIS_NUM_THREADS", "MKL_NUM_THREADS"})
    variables.emplace_back(fmt::format("{}={}", name, threads));
  for (const char* setting : {"OMP_DYNAMIC=false", "MKL_DYNAMIC=false", "OMP_WAIT_POLICY=active",
                              "KMP_BLOCKTIME=infinite", "PYTHONDONTWRITEBYTECODE=1", "PYTHONUNBUFFERED=1"})
    variables.emplace_back(setting);
  return variables;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> all;
  all.reserve(texts.size() + 1);
  for (std::string& text : texts) all.push_back(text.data());
  all.push_back(nullptr);
  return all;
}

std::string describe_end(int status) {
  if (WIFSIGNALED(status))
    return fmt::format("it died of signal {} ({})", WTERMSIG(status), strsignal(WTERMSIG(status)));
  return fmt::format("it ended with exit code {}", WEXITSTATUS(status));
}

}  // namespace

std::filesystem::path peers_directory() {
  if (const char* given = std::getenv("SLUICE_PEERS_PATH"); given != nullptr && *given != '\0') return given;
  std::error_code error;
  return std::filesystem::read_symlink("/proc/self/exe", error).parent_path() / "peers";
}

std::vector<PeerProgram> find_peers(const std::filesystem::path& directory) {
  std::vector<PeerProgram> found;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(directory, error)) {
    if (entry.is_regular_file(error) && access(entry.path().c_str(), X_OK) == 0)
      found.push_back({entry.path().filename().string(), std::filesystem::absolute(entry.path(), error)});
  }
  std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return found;
}

PeerProcess::PeerProcess(const PeerProgram& program, std::uint32_t threads) : name_(program.name) {
  int sockets[2];
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, sockets) != 0)
    throw PeerError(fmt::format("no socket for it: {}", std::strerror(errno)));
  for (const int socket : sockets) fcntl(socket, F_SETFD, FD_CLOEXEC);
  errors_ = anonymous_file("peer-errors");
  std::vector<std::string> variables = environment(threads);
  std::vector<std::string> words{program.path.string()};
  // Made before the fork, because the forked child of a process with threads may not allocate.
  const std::vector<char*> environment_pointers = pointers(variables);
  const std::vector<char*> word_pointers = pointers(words);
  // Where the parent left it ignored, a child that ends leaves no status, and its number may be another process's soon.
  signal(SIGCHLD, SIG_DFL);
  [[maybe_unused]] const pid_t parent = getpid();
  pid_ = fork();
  if (pid_ == 0) {
    setpgid(0, 0);
#if defined(__linux__)
    prctl(PR_SET_PDEATHSIG, SIGKILL);     // elsewhere the closed socket ends it
    if (getppid() != parent) _exit(127);  // the parent was gone before prctl
#endif
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    signal(SIGPIPE, SIG_DFL);
    dup2(sockets[1], STDIN_FILENO);
    dup2(sockets[1], STDOUT_FILENO);
    if (errors_ >= 0) dup2(errors_, STDERR_FILENO);
    execve(word_pointers[0], word_pointers.data(), environment_pointers.data());
    _exit(127);
  }
  close(sockets[1]);
  socket_ = sockets[0];
  if (pid_ < 0) {
    pid_ = 0;
    close(socket_);
    if (errors_ >= 0) close(errors_);
    throw PeerError(fmt::format("no process for it: {}", std::strerror(errno)));
  }
}

PeerProcess::~PeerProcess() {
  end();
  if (errors_ >= 0) close(errors_);
}

nlohmann::json PeerProcess::ask(const nlohmann::json& question, Seconds limit) {
  if (!alive()) throw PeerError("its process is gone");
  resume();
  const std::string line = question.dump() + "\n";
  if (send(socket_, line.data(), line.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(line.size()))
    give_up("it closed the conversation");
  const std::string reply = read_line(limit);
  stop();
  nlohmann::json answer = nlohmann::json::parse(reply, nullptr, false);
  if (!answer.is_object()) give_up(fmt::format("it answered {:.60}, which is no JSON object", reply));
  if (const auto error = answer.find("error"); error != answer.end())
    throw PeerError(error->is_string() ? error->get<std::string>() : error->dump());
  return answer;
}

std::string PeerProcess::read_line(Seconds limit) {
  const auto end = SteadyClock::now() + std::chrono::duration_cast<SteadyClock::duration>(limit);
  for (;;) {
    if (const std::size_t found = unread_.find('\n'); found != std::string::npos) {
      std::string line = unread_.substr(0, found);
      unread_.erase(0, found + 1);
      return line;
    }
    constexpr std::size_t longest = 1U << 20U;
    if (unread_.size() > longest) give_up("it answered more than a MiB without a line's end");
    if (tuner::interrupted()) give_up("interrupted");
    if (SteadyClock::now() > end) give_up(fmt::format("no answer after {:.0f} s", limit.count()));
    pollfd waiting{socket_, POLLIN, 0};
    // A short wait, because a signal may arrive right before poll.
    if (poll(&waiting, 1, 100) <= 0) continue;
    char buffer[4096];
    const ssize_t count = recv(socket_, buffer, sizeof buffer, 0);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) give_up("");
    unread_.append(buffer, static_cast<std::size_t>(count));
  }
}

void PeerProcess::resume() const { kill(pid_, SIGCONT); }

// Returns once none of its threads runs any more.
void PeerProcess::stop() {
  kill(pid_, SIGSTOP);
  int status = 0;
  pid_t found = 0;
  do found = waitpid(pid_, &status, WUNTRACED);
  while (found < 0 && errno == EINTR);
  if (found == pid_ && WIFSTOPPED(status)) return;
  // It ended although it had answered.
  how_it_ended_ = describe_end(status);
  pid_ = 0;
  give_up("");
}

void PeerProcess::end() noexcept {
  if (pid_ > 0) {
    // It may be ending by itself, and its exit status is worth knowing: a crash closes the socket a moment earlier.
    int status = 0;
    pid_t found = 0;
    for (int i = 0; i < 20 && how_it_ended_.empty() && found == 0; ++i) {
      found = waitpid(pid_, &status, WNOHANG);
      if (found == 0) usleep(5000);
    }
    if (found == pid_) {
      how_it_ended_ = describe_end(status);
    } else {
      kill(pid_, SIGKILL);  // also ends a stopped process
      while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
      }
    }
    pid_ = 0;
  }
  if (socket_ >= 0) close(socket_);
  socket_ = -1;
}

void PeerProcess::give_up(const std::string& reason) {
  const bool ended_by_itself = reason.empty();
  if (!ended_by_itself) how_it_ended_ = reason;
  end();
  std::string message = how_it_ended_.empty() ? "it closed the conversation" : how_it_ended_;
  if (const std::string words = last_words(); !words.empty()) message += "; it said: " + words;
  throw PeerError(message);
}

std::string PeerProcess::last_words() const {
  if (errors_ < 0) return "";
  constexpr off_t enough = 4096;
  const off_t size = lseek(errors_, 0, SEEK_END);
  std::string text(static_cast<std::size_t>(std::clamp<off_t>(size, 0, enough)), '\0');
  const ssize_t count = pread(errors_, text.data(), text.size(), std::max<off_t>(0, size - enough));
  text.resize(count < 0 ? 0 : static_cast<std::size_t>(count));
  // The last line alone seldom explains an end, since a runtime or an emulator adds lines of its own.
  constexpr std::size_t last = 3;
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) {
    line.erase(0, line.find_first_not_of(" \t\r"));
    line.erase(line.find_last_not_of(" \t\r") + 1);
    if (!line.empty()) lines.push_back(line);
  }
  lines.erase(lines.begin(), lines.end() - static_cast<std::ptrdiff_t>(std::min(last, lines.size())));
  return fmt::format("{}", fmt::join(lines, "; "));
}

}  // namespace sluice::bench
