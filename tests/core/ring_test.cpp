#include "core/ring.h"

#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

#include "core/buffers.h"
#include "core/descriptor.h"

namespace tokend::core {
namespace {

constexpr std::int64_t kSecondNs = 1'000'000'000;

TEST(TagTest, PackingIsReversible) {
  const Tag tag{.kind = 0xa5, .generation = Tag::kGenerationMask - 1, .index = 0xdeadbeef};
  const Tag same = Tag::unpack(tag.pack());
  EXPECT_EQ(same.kind, tag.kind);
  EXPECT_EQ(same.generation, tag.generation);
  EXPECT_EQ(same.index, tag.index);
}

class RingTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(ring.open({.submissions = 8, .completions = 64}));
    ASSERT_TRUE(ring.enable());
  }
  std::vector<Completion> take_all() {
    std::array<Completion, 64> taken;
    const std::size_t count = ring.take(taken);
    return {taken.begin(), taken.begin() + count};
  }

  Ring ring;
};

TEST_F(RingTest, MoreEntriesThanTheQueueHoldsAreAllSubmitted) {
  for (std::uint64_t number = 0; number < 30; ++number) io_uring_prep_nop(&ring.prepare(number));
  ring.submit();
  const auto completions = take_all();
  ASSERT_EQ(completions.size(), 30U);
  for (std::uint64_t number = 0; number < 30; ++number) {
    EXPECT_EQ(completions[number].user_data, number);
  }
  EXPECT_FALSE(ring.has_completions());
}

TEST_F(RingTest, CompletionsBeyondTheQueueAreNotLost) {
  for (std::uint64_t number = 0; number < 200; ++number) io_uring_prep_nop(&ring.prepare(number));
  std::uint64_t expected = 0;
  for (int turn = 0; turn < 20 && expected < 200; ++turn) {
    ring.submit();
    for (const Completion& completion : take_all()) EXPECT_EQ(completion.user_data, expected++);
  }
  EXPECT_EQ(expected, 200U);
}

TEST_F(RingTest, TakesNoMoreThanThereIsRoomFor) {
  for (std::uint64_t number = 0; number < 6; ++number) io_uring_prep_nop(&ring.prepare(number));
  ring.submit();
  std::array<Completion, 4> some;
  EXPECT_EQ(ring.take(some), 4U);
  EXPECT_EQ(ring.take(some), 2U);
  EXPECT_EQ(some[1].user_data, 5U);
}

TEST_F(RingTest, WaitingEndsAtTheTimeout) {
  const auto start = std::chrono::steady_clock::now();
  ring.submit_and_wait(20'000'000);
  const auto waited = std::chrono::steady_clock::now() - start;
  EXPECT_GE(waited, std::chrono::milliseconds(19));
  EXPECT_FALSE(ring.has_completions());
}

// Bytes meet buffers over a socket pair.
class ReceiveBuffersTest : public RingTest {
 protected:
  void SetUp() override {
    RingTest::SetUp();
    ASSERT_TRUE(buffers.lend_to(ring));
    int pair[2];
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    ours = Descriptor(pair[0]);
    theirs = Descriptor(pair[1]);
  }
  void arm() {
    io_uring_sqe& entry = ring.prepare(std::uint64_t{1});
    io_uring_prep_recv_multishot(&entry, ours.get(), nullptr, 0, 0);
    entry.flags |= IOSQE_BUFFER_SELECT;
    entry.buf_group = ReceiveBuffers::kGroup;
  }
  std::vector<Completion> exchange(std::string_view text) {
    EXPECT_EQ(write(theirs.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
    ring.submit_and_wait(kSecondNs);
    return take_all();
  }

  static constexpr std::size_t kCount = 4;
  static constexpr std::size_t kBytes = 16;
  ReceiveBuffers buffers{kCount, kBytes};
  Descriptor ours;
  Descriptor theirs;
};

TEST_F(ReceiveBuffersTest, BuffersThatAreGivenBackServeForEver) {
  arm();
  for (int round = 0; round < 40; ++round) {
    const std::string text = "message " + std::to_string(round);
    const auto completions = exchange(text);
    ASSERT_EQ(completions.size(), 1U);
    ASSERT_TRUE(completions[0].more());
    const std::span<char> bytes = buffers.bytes_of(completions[0]);
    EXPECT_EQ(std::string_view(bytes.data(), bytes.size()), text);
    buffers.give_back(completions[0]);
    buffers.publish();
  }
}

TEST_F(ReceiveBuffersTest, EveryBufferIsFollowedByReadablePadding) {
  arm();
  for (std::size_t index = 0; index < kCount; ++index) {
    const auto completions = exchange(std::string(kBytes, 'x'));
    ASSERT_FALSE(completions.empty());
    // A kernel that receives on when a buffer was filled says at once that there is no other one.
    if (index + 1 == kCount && completions.size() == 2) {
      EXPECT_EQ(completions[1].result, -ENOBUFS);
    } else {
      ASSERT_EQ(completions.size(), 1U);
    }
    const std::span<char> bytes = buffers.bytes_of(completions[0]);
    ASSERT_EQ(bytes.size(), kBytes);
    for (std::size_t behind = 0; behind < kReceivePaddingBytes; ++behind) {
      EXPECT_EQ(bytes.data()[kBytes + behind], 0) << "no buffer overlaps another's padding";
    }
  }
}

TEST_F(ReceiveBuffersTest, WithoutBuffersAReceiveEndsAndCanBeArmedAgain) {
  arm();
  const auto completions = exchange(std::string(kBytes * (kCount + 1), 'x'));
  ASSERT_EQ(completions.size(), kCount + 1);
  EXPECT_EQ(completions.back().result, -ENOBUFS);
  EXPECT_FALSE(completions.back().more());
  buffers.give_back(completions[0]);
  buffers.publish();
  arm();
  ring.submit_and_wait(kSecondNs);
  const auto rest = take_all();
  ASSERT_FALSE(rest.empty());
  EXPECT_EQ(rest[0].result, static_cast<std::int32_t>(kBytes));
}

// In a child process, whose kernel refuses io_uring_setup with the given error.
[[noreturn]] void probe_where_setup_fails_with(unsigned error) {
  sock_filter program[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_io_uring_setup, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  sock_fprog filter{.len = std::size(program), .filter = program};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
      prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0) {
    std::_Exit(99);
  }
  const auto result = Ring::probe();
  std::fprintf(stderr, "%s\n", result ? "it works" : result.error().message.c_str());
  std::_Exit(!result && result.error().code == Errc::unavailable ? 78 : 0);
}

TEST(RingDeathTest, AKernelWithoutIoUringIsNamedWithTheRemedy) {
  EXPECT_EXIT(probe_where_setup_fails_with(ENOSYS), ::testing::ExitedWithCode(78),
              "io_uring.*Linux 6.1");
}

TEST(RingDeathTest, DisabledIoUringIsNamedWithTheRemedy) {
  EXPECT_EXIT(probe_where_setup_fails_with(EPERM), ::testing::ExitedWithCode(78),
              "io_uring.*kernel.io_uring_disabled=0");
}

TEST(RingDeathTest, TooLittleLockedMemoryIsNamedWithTheRemedy) {
  EXPECT_EXIT(probe_where_setup_fails_with(ENOMEM), ::testing::ExitedWithCode(78),
              "io_uring.*RLIMIT_MEMLOCK");
}

TEST(RingDeathTest, AKernelThatIsTooOldIsNamedWithTheRemedy) {
  EXPECT_EXIT(probe_where_setup_fails_with(EINVAL), ::testing::ExitedWithCode(78),
              "io_uring.*6.1 or newer");
}

}  // namespace
}  // namespace tokend::core
