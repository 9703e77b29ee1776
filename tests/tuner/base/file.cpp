// Files that are replaced whole or not at all, and the lock between writers.
#include "tuner/base/file.hpp"

#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <thread>
#include <vector>

#include "tests/tuner/support.hpp"

namespace sluice::tuner {
namespace {

TEST(File, IsReadBackAsItWasWritten) {
  const TemporaryDirectory directory;
  const std::string contents("a\0b\r\n\xFF", 6);
  write_file_atomically(directory.path() / "new/deep/file", contents);
  EXPECT_EQ(read_file(directory.path() / "new/deep/file"), contents);
  write_file_atomically(directory.path() / "new/deep/file", "");
  EXPECT_EQ(read_file(directory.path() / "new/deep/file"), "");
  EXPECT_EQ(directory.files(), 3);
}

TEST(File, ThatCannotBeReadIsNamed) {
  const TemporaryDirectory directory;
  expect_message(failure_of([&] { (void)read_file(directory.path() / "none"); }), exit_code::file,
                 {(directory.path() / "none").string(), "No such file"});
  expect_message(failure_of([&] { (void)read_file(directory.path()); }), exit_code::file, {directory.path().string()});
  const auto large = directory.write("large", "12345");
  expect_message(failure_of([&] { (void)read_file(large, 4); }), exit_code::file, {large.string(), "4 bytes"});
  EXPECT_EQ(read_file(large, 5), "12345");
}

TEST(File, KeepsItsPermissionsAndItsLink) {
  const TemporaryDirectory directory;
  const auto target = directory.write("target", "old");
  ASSERT_EQ(::chmod(target.c_str(), 0640), 0);
  const auto link = directory.path() / "link";
  std::filesystem::create_symlink("target", link);
  write_file_atomically(link, "new");
  EXPECT_TRUE(std::filesystem::is_symlink(link));
  EXPECT_EQ(contents_of(target), "new");
  struct stat status {};
  ASSERT_EQ(::stat(target.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777U, 0640U);
}

TEST(File, WhereNoneCanBeIsAFailureThatLeavesNothing) {
  const TemporaryDirectory directory;
  const auto plain = directory.write("plain", "text");
  expect_message(failure_of([&] { write_file_atomically(plain / "below", "x"); }), exit_code::file,
                 {(plain / "below").string()});
  expect_message(failure_of([&] { write_file_atomically(directory.path(), "x"); }), exit_code::file, {"directory"});
  expect_message(failure_of([&] { write_file_atomically("/dev/full", "x"); }), exit_code::file, {"/dev/full"});
  EXPECT_EQ(contents_of(plain), "text");
  EXPECT_EQ(directory.files(), 1);
}

TEST(File, ThatDoesNotFitLeavesTheOldOne) {
  const TemporaryDirectory directory;
  const auto path = directory.write("file", "old");
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    // A limit instead of a full disk.
    const rlimit limit{100, 100};
    ::signal(SIGXFSZ, SIG_IGN);
    if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) ::_exit(99);
    ::_exit(failure_of([&] { write_file_atomically(path, std::string(4096, 'x')); }).exit_code);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), exit_code::file);
  EXPECT_EQ(contents_of(path), "old");
  EXPECT_EQ(directory.files(), 1);
}

TEST(FileLock, KeepsTheSecondWriterOut) {
  const TemporaryDirectory directory;
  const auto path = directory.path() / "new/file";
  {
    const FileLock first(path);
    expect_message(failure_of([&] { const FileLock second(path, std::chrono::milliseconds(30)); }), exit_code::file,
                   {path.string(), "wait"});
  }
  const FileLock third(path, std::chrono::milliseconds(0));
  EXPECT_EQ(directory.files(), 2);
}

TEST(FileLock, IsGoneWithItsHolder) {
  const TemporaryDirectory directory;
  { const FileLock lock(directory.path() / "file"); }
  EXPECT_EQ(directory.files(), 0);
}

TEST(FileLock, LeftByAKilledProcessDoesNotCount) {
  const TemporaryDirectory directory;
  const auto path = directory.path() / "file";
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const FileLock lock(path);
    ::_exit(0);  // no destructor runs
  }
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  ASSERT_EQ(directory.files(), 1);
  { const FileLock lock(path, std::chrono::milliseconds(0)); }
  EXPECT_EQ(directory.files(), 0);
}

TEST(FileLock, LetsManyThreadsCountWithoutLoss) {
  const TemporaryDirectory directory;
  const auto path = directory.write("file", "");
  std::vector<std::thread> threads;
  threads.reserve(4);
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int j = 0; j < 10; ++j) {
        const FileLock lock(path);
        write_file_atomically(path, read_file(path) + "x");
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(contents_of(path).size(), 40U);
  EXPECT_EQ(directory.files(), 1);
}

}  // namespace
}  // namespace sluice::tuner
