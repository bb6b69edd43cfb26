// What the journal keeps through crashes, and what it notices when the disk does not.

#include "store/journal.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "store/journal_file.h"

namespace tokend::store {
namespace {

using core::Errc;

constexpr std::size_t kBlock = 4096;

class JournalTest : public testing::Test {
 protected:
  JournalTest() {
    std::string pattern =
        (std::filesystem::temp_directory_path() / "tokend-journal-XXXXXX").string();
    root = mkdtemp(pattern.data());
    options.directory = root + "/journal";
    options.file_bytes = 8 * kBlock;
  }
  ~JournalTest() override {
    journal.reset();
    std::filesystem::remove_all(root);
  }

  // Opens it, and takes what it replays for durable in the database, unless told otherwise.
  core::Result<void> open(bool checkpoint = true) {
    journal.reset();
    replayed.clear();
    auto opened = Journal::open(options, mark, expected,
                                [this](std::uint64_t sequence, std::string_view payload) {
                                  replayed[sequence] = payload;
                                  return core::Result<void>();
                                });
    if (!opened) return std::unexpected(opened.error());
    journal = *std::move(opened);
    if (checkpoint) mark.checkpoint = journal->last_sequence();
    return {};
  }
  void settle() {
    while (journal->under_way() > 0) {
      const auto collected = journal->collect();
      ASSERT_TRUE(collected) << collected.error().message;
      if (!*collected) journal->wait();
    }
  }
  void write(const std::string& payload) {
    ASSERT_TRUE(journal->append(payload));
    settle();
    expected = true;
  }
  std::vector<std::string> files() const {
    std::vector<std::string> paths;
    for (const auto& entry : std::filesystem::directory_iterator(options.directory)) {
      paths.push_back(entry.path());
    }
    std::ranges::sort(paths);
    return paths;
  }
  static void damage(const std::string& path, std::size_t offset) {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(static_cast<std::streamoff>(offset));
    const char byte = static_cast<char>(file.get() ^ 1);
    file.seekp(static_cast<std::streamoff>(offset));
    file.put(byte);
  }

  std::string root;
  JournalOptions options;
  JournalMark mark{.id = 42, .checkpoint = 0};
  bool expected = false;
  std::map<std::uint64_t, std::string> replayed;
  std::unique_ptr<Journal> journal;
};

TEST_F(JournalTest, ReplaysInOrderWhatIsBehindTheCheckpoint) {
  ASSERT_TRUE(open());
  for (int i = 1; i <= 5; ++i) write("payload " + std::to_string(i));
  mark.checkpoint = 2;
  ASSERT_TRUE(open(false));
  EXPECT_EQ(replayed, (std::map<std::uint64_t, std::string>{
                          {3, "payload 3"}, {4, "payload 4"}, {5, "payload 5"}}));
  EXPECT_EQ(journal->last_sequence(), 5U);
  ASSERT_TRUE(open(false)) << "a crash during the replay";
  EXPECT_EQ(replayed.size(), 3U);
  mark.checkpoint = 5;
  ASSERT_TRUE(open());
  EXPECT_TRUE(replayed.empty());
  write("payload 6");
  ASSERT_TRUE(open());
  EXPECT_EQ(replayed, (std::map<std::uint64_t, std::string>{{6, "payload 6"}}));
}

TEST_F(JournalTest, PayloadsOfAnySizeUpToAFileComeBack) {
  ASSERT_TRUE(open());
  const std::size_t header = 48;
  std::map<std::uint64_t, std::string> written;
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, kBlock - header,
                                 kBlock - header + 1, 2 * kBlock, 8 * kBlock - header}) {
    std::string payload;
    for (std::size_t i = 0; i < size; ++i) payload += static_cast<char>(i * 7 + size);
    write(payload);
    written[journal->last_sequence()] = payload;
  }
  ASSERT_TRUE(open());
  EXPECT_EQ(replayed, written);
  const auto too_long = journal->append(std::string(8 * kBlock - header + 1, 'x'));
  ASSERT_FALSE(too_long);
  EXPECT_EQ(too_long.error().code, Errc::unavailable);
}

TEST_F(JournalTest, SeveralWritesAreUnderWayAndCollectedInOrder) {
  ASSERT_TRUE(open());
  for (std::size_t i = 0; i < options.writes_max; ++i) ASSERT_TRUE(journal->append("x"));
  EXPECT_EQ(journal->under_way(), options.writes_max);
  settle();
  for (int i = 0; i < 100; ++i) {
    while (journal->under_way() == options.writes_max) {
      const auto collected = journal->collect();
      ASSERT_TRUE(collected);
      if (!*collected) journal->wait();
    }
    ASSERT_TRUE(journal->append(std::to_string(i)));
  }
  settle();
  expected = true;
  ASSERT_TRUE(open());
  ASSERT_EQ(replayed.size(), 104U);
  for (std::uint64_t i = 0; i < 100; ++i) EXPECT_EQ(replayed[i + 5], std::to_string(i));
}

TEST_F(JournalTest, ATornEndIsForgottenForGood) {
  ASSERT_TRUE(open());
  write("one");
  write("two");
  // Both under way at the crash: nobody was told of either, and the first did not arrive.
  ASSERT_TRUE(journal->append("torn"));
  ASSERT_TRUE(journal->append("behind the tear"));
  journal.reset();
  damage(files()[0], 2 * kBlock + 48);
  ASSERT_TRUE(open());
  EXPECT_EQ(replayed, (std::map<std::uint64_t, std::string>{{1, "one"}, {2, "two"}}));
  write("new");
  ASSERT_TRUE(open());
  EXPECT_EQ(replayed.size(), 1U) << "what was behind the tear does not come back";
  EXPECT_EQ(replayed.begin()->second, "new");
}

TEST_F(JournalTest, DamageToWhatWasAcknowledgedIsRefusedWithItsPlace) {
  ASSERT_TRUE(open());
  for (int i = 1; i <= 4; ++i) write("payload " + std::to_string(i));
  journal.reset();
  damage(files()[0], kBlock + 50);
  const auto opened = open();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, Errc::corrupt);
  EXPECT_NE(opened.error().message.find("frame 2 "), std::string::npos) << opened.error().message;
  EXPECT_NE(opened.error().message.find(files()[0] + " offset 4096"), std::string::npos)
      << opened.error().message;
  mark.checkpoint = 2;
  EXPECT_TRUE(open(false)) << "nobody needs it any more";
}

TEST_F(JournalTest, AcceptedDamageLosesWhatLiesBehindAndReusesNoNumber) {
  ASSERT_TRUE(open());
  for (int i = 1; i <= 4; ++i) write("payload " + std::to_string(i));
  journal.reset();
  damage(files()[0], kBlock + 50);
  options.accept_damage = true;
  ASSERT_TRUE(open());
  EXPECT_EQ(replayed, (std::map<std::uint64_t, std::string>{{1, "payload 1"}}));
  EXPECT_NE(journal->damage().find("frame 2 "), std::string::npos);
  EXPECT_EQ(journal->last_sequence(), 4U);
  write("payload 5");
  options.accept_damage = false;
  ASSERT_TRUE(open());
  EXPECT_EQ(journal->damage(), "");
  EXPECT_EQ(replayed, (std::map<std::uint64_t, std::string>{{5, "payload 5"}}));
}

TEST_F(JournalTest, AWaitEndsOnceForEachInterruption) {
  ASSERT_TRUE(open());
  journal->interrupt();
  journal->wait();
  // Nothing is collected in between, as when no batch is under way.
  std::atomic<bool> ended = false;
  std::thread waits([&] {
    journal->wait();
    ended = true;
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_FALSE(ended);
  journal->interrupt();
  waits.join();
}

TEST_F(JournalTest, AnyDamagedByteOfAFrameIsNoticed) {
  ASSERT_TRUE(open());
  for (int i = 1; i <= 3; ++i) write("payload");
  journal.reset();
  for (std::size_t byte = 0; byte < 48 + 7; ++byte) {
    damage(files()[0], byte);
    EXPECT_FALSE(open(false)) << "byte " << byte;
    damage(files()[0], byte);
  }
  EXPECT_TRUE(open(false));
}

TEST_F(JournalTest, AMissingFileIsRefused) {
  ASSERT_TRUE(open());
  for (int i = 0; i < 40; ++i) write(std::string(kBlock, 'x'));
  journal.reset();
  ASSERT_GT(files().size(), 3U);
  for (const std::size_t missing : {std::size_t{0}, std::size_t{1}, files().size() - 2}) {
    const std::string path = files()[missing];
    std::filesystem::rename(path, root + "/aside");
    const auto opened = open(false);
    ASSERT_FALSE(opened) << path;
    EXPECT_EQ(opened.error().code, Errc::corrupt);
    std::filesystem::rename(root + "/aside", path);
  }
  EXPECT_TRUE(open(false));
}

TEST_F(JournalTest, AMissingOrForeignJournalIsRefused) {
  ASSERT_TRUE(open());
  write("x");
  mark.id = 43;
  const auto foreign = open();
  ASSERT_FALSE(foreign);
  EXPECT_EQ(foreign.error().code, Errc::corrupt);
  mark.id = 42;
  journal.reset();
  std::filesystem::remove_all(options.directory);
  const auto missing = open();
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, Errc::corrupt);
}

TEST_F(JournalTest, AnOlderJournalThanTheDatabaseHasSeenIsRefused) {
  ASSERT_TRUE(open());
  write("x");
  mark.checkpoint = 9;
  const auto opened = open();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, Errc::corrupt);
}

TEST_F(JournalTest, FilesAreUsedAgainOnceReleased) {
  ASSERT_TRUE(open());
  std::size_t most = 0;
  for (int i = 0; i < 200; ++i) {
    write(std::string(2 * kBlock, static_cast<char>('a' + i % 26)));
    if (journal->unreleased_bytes() >= 2 * options.file_bytes) {
      mark.checkpoint = journal->last_sequence();
      journal->release(mark.checkpoint);
    }
    most = std::max(most, files().size());
  }
  EXPECT_LE(most, 4U);
  const std::uint64_t last = journal->last_sequence();
  const std::uint64_t checkpoint = mark.checkpoint;
  ASSERT_TRUE(open());
  EXPECT_EQ(replayed.size(), last - checkpoint);
  EXPECT_EQ(journal->last_sequence(), last);
}

TEST_F(JournalTest, WhatIsNotReleasedIsNotWrittenOver) {
  ASSERT_TRUE(open());
  for (int i = 0; i < 50; ++i) write(std::string(kBlock, 'x'));
  journal->release(0);
  for (int i = 0; i < 50; ++i) write(std::string(kBlock, 'x'));
  ASSERT_TRUE(open());
  EXPECT_EQ(replayed.size(), 100U);
}

TEST_F(JournalTest, ASpareFileIsMadeOnce) {
  ASSERT_TRUE(open());
  EXPECT_TRUE(*journal->make_spare());
  EXPECT_FALSE(*journal->make_spare());
  const std::size_t before = files().size();
  write("x");
  EXPECT_EQ(files().size(), before) << "the spare one is taken";
}

TEST_F(JournalTest, ASpareFileIsFilledQuietlyUntilItIsNeededSoon) {
  constexpr int kPieces = 64;
  options.file_bytes = kPieces * kQuietFillBytes;
  ASSERT_TRUE(open());
  write("x");
  int asked = 0;
  const auto is_urgent = [&asked] {
    ++asked;
    return false;
  };
  EXPECT_TRUE(*journal->make_spare(is_urgent));
  EXPECT_EQ(asked, kPieces);

  // Into the spare one, and beyond its middle.
  write(std::string(options.file_bytes - kBlock, 'x'));
  asked = 0;
  EXPECT_TRUE(*journal->make_spare(is_urgent));
  EXPECT_EQ(asked, 0) << "it is urgent anyway";
}

TEST_F(JournalTest, AnUnfinishedFileIsRemovedAndOneOfAnotherSizeIsReadAndThenDropped) {
  ASSERT_TRUE(open());
  for (int i = 0; i < 20; ++i) write(std::string(kBlock, 'x'));
  std::ofstream(options.directory + "/0000000099.new") << "half";
  journal.reset();
  options.file_bytes = 16 * kBlock;
  ASSERT_TRUE(open());
  EXPECT_EQ(replayed.size(), 20U);
  for (int i = 0; i < 20; ++i) write(std::string(4 * kBlock, 'x'));
  journal->release(journal->last_sequence());
  const auto paths = files();
  EXPECT_EQ(std::ranges::count_if(paths,
                                  [](const std::string& path) {
                                    return std::filesystem::file_size(path) != 16 * kBlock;
                                  }),
            0);
}

TEST_F(JournalTest, AFailedWriteIsFinal) {
  std::atomic<bool> fails{false};
  options.writes_fail = &fails;
  ASSERT_TRUE(open());
  write("before");
  fails = true;
  ASSERT_TRUE(journal->append("during"));
  core::Result<bool> collected = false;
  while (collected && !*collected) {
    journal->wait();
    collected = journal->collect();
  }
  ASSERT_FALSE(collected);
  EXPECT_EQ(collected.error().code, Errc::unavailable);
  fails = false;
  EXPECT_FALSE(journal->append("after"));
  EXPECT_FALSE(journal->collect());
}

// A file size limit stands for the full disk: the write that needs a new file cannot have one.
TEST_F(JournalTest, WithoutRoomForANewFileTheAppendFails) {
  ASSERT_TRUE(open());
  for (int i = 0; i < 8; ++i) write("x");
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    journal.release();  // its ring is the parent's
    std::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{4 * kBlock, 4 * kBlock};
    setrlimit(RLIMIT_FSIZE, &limit);
    auto opened = Journal::open(
        options, mark, true, [](std::uint64_t, std::string_view) { return core::Result<void>(); });
    if (!opened) _exit(1);
    const auto appended = (*opened)->append(std::string(kBlock, 'x'));
    if (appended || appended.error().code != Errc::io) _exit(2);
    if ((*opened)->append("x")) _exit(3);
    _exit(0);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  for (const std::string& path : files()) EXPECT_EQ(path.find(".new"), std::string::npos);
}

TEST_F(JournalTest, AnInterruptEndsAWaitAlsoWhenItCameEarlier) {
  ASSERT_TRUE(open());
  journal->interrupt();
  journal->wait();
  static_cast<void>(journal->collect());
  std::thread other([this] { journal->interrupt(); });
  journal->wait();
  other.join();
}

TEST_F(JournalTest, WorksWhereFilesHaveNoDirectAccess) {
  if (!std::filesystem::exists("/dev/shm")) GTEST_SKIP();
  std::string pattern = "/dev/shm/tokend-journal-XXXXXX";
  const std::string folder = mkdtemp(pattern.data());
  options.directory = folder + "/journal";
  ASSERT_TRUE(open());
  write("in memory");
  ASSERT_TRUE(open());
  EXPECT_EQ(replayed.size(), 1U);
  journal.reset();
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace tokend::store
