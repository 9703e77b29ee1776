// The profile's file, merging into it, and which of its rows serve on a machine.
#include "tuner/profile/profile.hpp"

#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <functional>
#include <thread>

#include "tests/tuner/support.hpp"
#include "tuner/base/version.hpp"
#include "tuner/profile/profile_json.hpp"

namespace sluice::tuner {
namespace {

TEST(Profile, IsMadeWithVersionTimeAndFingerprint) {
  const Profile profile = make_profile(example_machine(), {"sluice", "tune"});
  EXPECT_EQ(profile.sluice_version, version);
  EXPECT_EQ(profile.fingerprint, example_machine().fingerprint());
  ASSERT_EQ(profile.created.size(), 20U);
  EXPECT_EQ(profile.created[10], 'T');
  EXPECT_EQ(profile.created.back(), 'Z');
}

TEST(Profile, IsFoundWhereItIsAndMissedOnlyWhenAskedFor) {
  const TemporaryDirectory directory;
  const auto path = directory.path() / "out/profile.json";
  EXPECT_FALSE(find_profile(path, false).has_value());
  expect_message(failure_of([&] { (void)find_profile(path, true); }), exit_code::file, {path.string(), "sluice tune"});
  merge_into_file(path, example_profile());
  EXPECT_EQ(find_profile(path, false)->plans.size(), 2U);
  EXPECT_EQ(find_profile(path, true)->plans.size(), 2U);
  EXPECT_EQ(directory.files(), 2);
}

TEST(Profile, MergesCellsAndRoofsIntoTheFile) {
  const TemporaryDirectory directory;
  const auto path = directory.path() / "profile.json";
  merge_into_file(path, example_profile());

  Profile fresh = make_profile(example_machine(), {"sluice", "tune", "again"});
  fresh.roofs.fma = {{Isa::scalar, 2, 8e9}, {Isa::scalar, 4, 1.4e10}};
  fresh.roofs.read = {{2, 5e10, 268435456}};
  fresh.plans = {{example_row(swiglu, 256), std::nullopt}, {example_row(swiglu, 64), std::nullopt}};
  fresh.plans[0].row.plan.tiling.prefetch = 0;
  merge_into_file(path, fresh);

  const Profile merged_profile = load_profile(path);
  // Sorted by their cells, not by when they were finished.
  ASSERT_EQ(merged_profile.plans.size(), 3U);
  EXPECT_EQ(merged_profile.plans[0].row.kind, relu);
  EXPECT_EQ(merged_profile.plans[1].row.m, 64U);
  EXPECT_EQ(merged_profile.plans[2].row.m, 256U);
  EXPECT_EQ(merged_profile.plans[2].row.plan.tiling.prefetch, 0U);
  EXPECT_EQ(merged_profile.plans[2].measured, std::nullopt);
  EXPECT_EQ(merged_profile.roofs.fma,
            (std::vector<FmaRoof>{{Isa::scalar, 1, 3.5e9}, {Isa::scalar, 2, 8e9}, {Isa::scalar, 4, 1.4e10}}));
  EXPECT_EQ(merged_profile.roofs.read.size(), 2U);
  EXPECT_EQ(merged_profile.command.back(), "again");
}

TEST(Profile, NeverOverwritesWhatIsNotItsOwn) {
  const TemporaryDirectory directory;
  const std::string text = profile_text(example_profile());
  Json newer = Json::parse(text);
  newer["schema_version"] = 2;
  for (const std::string& foreign : {std::string(), std::string("my diary"), std::string(R"({"benchmarks": []})"),
                                     text.substr(0, text.size() / 2), newer.dump(), plans_text(example_profile())}) {
    const auto path = directory.write("file.json", foreign);
    expect_message(failure_of([&] { merge_into_file(path, example_profile()); }), exit_code::file, {path.string()});
    expect_message(failure_of([&] { check_mergeable(path, example_machine()); }), exit_code::file, {path.string()});
    EXPECT_EQ(contents_of(path), foreign);
    EXPECT_EQ(directory.files(), 1);
  }
}

TEST(Profile, OfAnotherMachineIsNotMixedWithThisOnes) {
  const TemporaryDirectory directory;
  const auto path = directory.path() / "profile.json";
  merge_into_file(path, example_profile());
  const std::string before = contents_of(path);
  Machine other = example_machine();
  other.l2 = 1048576;
  expect_message(failure_of([&] { merge_into_file(path, make_profile(other, {})); }), exit_code::file,
                 {path.string(), "l2 (2097152, here 1048576)", "--profile"});
  expect_message(failure_of([&] { check_mergeable(path, other); }), exit_code::file, {"l2"});
  EXPECT_EQ(contents_of(path), before);
  check_mergeable(path, example_machine());
  check_mergeable(directory.path() / "none.json", other);
}

TEST(Profile, ThatCouldNotBeReadBackIsNotWritten) {
  const TemporaryDirectory directory;
  const auto path = directory.path() / "profile.json";
  Profile invalid = example_profile();
  invalid.plans[0].row.plan.tiling.mr = 0;
  expect_message(failure_of([&] { merge_into_file(path, invalid); }), exit_code::file, {"plans[0].plan.mr"});
  EXPECT_EQ(directory.files(), 0);
}

TEST(Profile, OfSeveralWritersLosesNoCell) {
  const TemporaryDirectory directory;
  const auto path = directory.path() / "profile.json";
  constexpr std::uint32_t writers = 4;
  constexpr std::uint32_t cells = 5;
  std::vector<pid_t> children;
  for (std::uint32_t writer = 0; writer < writers; ++writer) {
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      const Failure failure = failure_of([&] {
        for (std::uint32_t cell = 0; cell < cells; ++cell) {
          Profile fresh = make_profile(example_machine(), {"sluice", "tune"});
          fresh.plans = {{example_row(swiglu, 1U << (writer * cells + cell)), std::nullopt}};
          merge_into_file(path, fresh);
        }
      });
      ::_exit(failure.exit_code);
    }
    children.push_back(child);
  }
  for (const pid_t child : children) {
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  }
  EXPECT_EQ(load_profile(path).plans.size(), writers * cells);
  EXPECT_EQ(directory.files(), 1);
}

TEST(Profile, OfThreadsInTheSameCellsHoldsOneOfTheirs) {
  const TemporaryDirectory directory;
  const auto path = directory.path() / "profile.json";
  constexpr std::uint32_t writers = 6;
  std::vector<std::thread> threads;
  std::vector<Failure> failures(writers, Failure(99, ""));
  for (std::uint32_t writer = 0; writer < writers; ++writer) {
    threads.emplace_back([&, writer] {
      failures[writer] = failure_of([&] {
        for (std::uint32_t m = 1; m <= 8; m *= 2) {
          Profile fresh = make_profile(example_machine(), {"sluice", "tune"});
          fresh.plans = {{example_row(swiglu, m), std::nullopt},
                         {example_row(relu, 1U << (10 + writer)), std::nullopt}};
          fresh.plans[0].row.plan.tiling.kc = 100 + writer;
          merge_into_file(path, fresh);
        }
      });
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const Failure& failure : failures) EXPECT_EQ(failure.exit_code, exit_code::ok) << failure.message;
  const Profile whole = load_profile(path);
  EXPECT_EQ(whole.plans.size(), 4 + writers);
  for (const ProfilePlan& plan : whole.plans) {
    if (plan.row.kind == relu) continue;
    EXPECT_GE(plan.row.plan.tiling.kc, 100U);
    EXPECT_LT(plan.row.plan.tiling.kc, 100U + writers);
  }
  EXPECT_EQ(directory.files(), 1);
}

// Merges `fresh` into the file in a process of its own that calls `handicap` first. Returns its exit code.
int merge_in_child(const std::filesystem::path& path, const Profile& fresh, const std::function<bool()>& handicap) {
  const pid_t child = ::fork();
  if (child == 0) {
    if (!handicap()) ::_exit(99);
    ::_exit(failure_of([&] { merge_into_file(path, fresh); }).exit_code);
  }
  int status = 0;
  return ::waitpid(child, &status, 0) == child && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(Profile, ThatDoesNotFitOnTheDiskIsTheOldOne) {
  const TemporaryDirectory directory;
  const auto path = directory.path() / "profile.json";
  const auto fresh_path = directory.path() / "none.json";
  merge_into_file(path, example_profile());
  const std::string before = contents_of(path);
  Profile fresh = make_profile(example_machine(), {"sluice", "tune"});
  fresh.plans = {{example_row(geglu, 64), std::nullopt}};
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, before.size() / 2, before.size()}) {
    // A limit on the file's size stands for a full disk: writing fails after that many bytes.
    const auto handicap = [&] {
      const rlimit limit{size, size};
      return ::signal(SIGXFSZ, SIG_IGN) != SIG_ERR && ::setrlimit(RLIMIT_FSIZE, &limit) == 0;
    };
    EXPECT_EQ(merge_in_child(path, fresh, handicap), exit_code::file) << size;
    EXPECT_EQ(contents_of(path), before) << size;
    if (size < 1000) {
      EXPECT_EQ(merge_in_child(fresh_path, fresh, handicap), exit_code::file) << size;
    }
    EXPECT_EQ(directory.files(), 1) << size;
  }
  // Without the limit the merge succeeds.
  EXPECT_EQ(merge_in_child(path, fresh, [] { return true; }), exit_code::ok);
  EXPECT_EQ(load_profile(path).plans.size(), 3U);
}

TEST(Profile, InAReadOnlyDirectoryIsTheOldOneAndStillRead) {
  const TemporaryDirectory directory;
  const auto path = directory.path() / "profile.json";
  merge_into_file(path, example_profile());
  const std::string before = contents_of(path);
  ASSERT_EQ(::chmod(path.c_str(), 0666), 0);
  ASSERT_EQ(::chmod(directory.path().c_str(), 0555), 0);
  // File modes do not restrict root.
  const auto as_nobody = [] { return ::getuid() != 0 || (::setgid(65534) == 0 && ::setuid(65534) == 0); };
  EXPECT_EQ(merge_in_child(path, example_profile(), as_nobody), exit_code::file);
  EXPECT_EQ(merge_in_child(directory.path() / "new.json", example_profile(), as_nobody), exit_code::file);
  EXPECT_EQ(contents_of(path), before);
  EXPECT_EQ(directory.files(), 1);
  EXPECT_EQ(load_profile(path).plans.size(), 2U);
  ASSERT_EQ(::chmod(directory.path().c_str(), 0755), 0);
}

TEST(Profile, CutOffInTheFileIsAFailureThatLeavesIt) {
  const TemporaryDirectory directory;
  const std::string text = profile_text(example_profile());
  // profile_json.cpp tests that no prefix parses. This test is about the file, read as a tuner reads it.
  for (std::size_t size = 0; size < text.size() - 2; size += 97) {
    const auto path = directory.write("profile.json", std::string_view(text).substr(0, size));
    expect_message(failure_of([&] { (void)load_profile(path); }), exit_code::file, {path.string(), "line "});
    expect_message(failure_of([&] { merge_into_file(path, example_profile()); }), exit_code::file, {path.string()});
    ASSERT_EQ(contents_of(path).size(), size);
  }
  EXPECT_EQ(directory.files(), 1);
}

TEST(UsableRows, AreAllExactOnTheSameMachine) {
  const UsableRows usable = usable_rows(example_profile(), example_machine());
  EXPECT_TRUE(usable.exact);
  EXPECT_TRUE(usable.warnings.empty());
  EXPECT_TRUE(usable.differences.empty());
  ASSERT_EQ(usable.rows.size(), 2U);
  const PlanChoice choice = choose_plan(usable.table(), {}, Isa::scalar, swiglu, {2048, 5632}, 200, 2);
  EXPECT_EQ(choice.origin, PlanOrigin::exact);
  EXPECT_EQ(usable.origin(choice), PlanOrigin::exact);
}

TEST(UsableRows, AreBorrowedFromAnotherMachineAndItIsSaid) {
  Machine here = example_machine();
  here.l2 = 1048576;
  here.cores = 2;
  const UsableRows usable = usable_rows(example_profile(), here);
  EXPECT_FALSE(usable.exact);
  EXPECT_EQ(usable.differences, (std::vector<std::string>{"l2 (2097152, here 1048576)", "cores (8, here 2)"}));
  ASSERT_EQ(usable.warnings.size(), 1U);
  EXPECT_NE(usable.warnings[0].find("l2 (2097152, here 1048576)"), std::string::npos);
  EXPECT_EQ(usable.rows.size(), 2U);
  const PlanChoice choice = choose_plan(usable.table(), {}, Isa::scalar, swiglu, {2048, 5632}, 200, 2);
  EXPECT_EQ(usable.origin(choice), PlanOrigin::borrowed);
  const PlanChoice other = choose_plan(usable.table(), {}, Isa::scalar, swiglu, {64, 96}, 200, 2);
  EXPECT_EQ(usable.origin(other), PlanOrigin::transferred);
  const PlanChoice none = choose_plan(usable.table(), {}, Isa::scalar, swiglu, {2048, 5632}, 4, 2);
  EXPECT_EQ(usable.origin(none), PlanOrigin::analytical);
}

TEST(UsableRows, NameTheFingerprintWhenNoFieldDiffers) {
  Profile profile = example_profile();
  profile.fingerprint = "0123456789abcdef";
  const UsableRows usable = usable_rows(profile, example_machine());
  EXPECT_FALSE(usable.exact);
  ASSERT_EQ(usable.differences.size(), 1U);
  EXPECT_NE(usable.differences[0].find("0123456789abcdef"), std::string::npos);
}

TEST(UsableRows, LeaveOutWhatCannotRunAndSaySo) {
  Profile profile = example_profile();
  profile.plans[0].row.isa = Isa::neon;
  profile.plans.push_back({profile.plans[0].row, std::nullopt});
  const UsableRows usable = usable_rows(profile, example_machine());
  ASSERT_EQ(usable.rows.size(), 1U);
  EXPECT_EQ(usable.rows[0].isa, Isa::scalar);
  ASSERT_EQ(usable.warnings.size(), 1U);
  EXPECT_NE(usable.warnings[0].find("2 plans for neon skipped"), std::string::npos);
}

TEST(Verdict, ParsesBack) {
  for (const Verdict verdict :
       {Verdict::faster, Verdict::tied, Verdict::slower, Verdict::inconclusive, Verdict::default_won}) {
    EXPECT_EQ(parse_verdict(name(verdict)), verdict);
  }
  EXPECT_EQ(parse_verdict("fast"), std::nullopt);
}

}  // namespace
}  // namespace sluice::tuner
