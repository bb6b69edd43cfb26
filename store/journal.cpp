#include "store/journal.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <deque>
#include <functional>
#include <mutex>
#include <utility>
#include <vector>

#include "core/descriptor.h"
#include "core/ring.h"
#include "store/journal_file.h"
#include "store/journal_frame.h"
#include "store/journal_recovery.h"

namespace tokend::store {
namespace {

using core::Descriptor;
using core::Errc;
using core::fail;
using core::Result;

constexpr std::uint64_t kWakeTag = UINT64_MAX;
constexpr unsigned kRingEntries = 16;
static_assert(kJournalWritesMax < kRingEntries, "and the wake-up");

core::Error write_error(int error) {
  return {Errc::unavailable, core::with_errno("a write of the journal failed", error)};
}

}  // namespace

struct Journal::Impl {
  explicit Impl(const JournalOptions& given) : options(given), writes(given.writes_max) {}

  struct Write {
    AlignedBuffer buffer;
    int descriptor = -1;
    std::size_t offset = 0;
    std::size_t bytes = 0;
    std::size_t written = 0;
    std::uint64_t sequence = 0;
    bool done = false;
  };

  Result<void> open_ring();
  Result<void> recover(std::vector<std::unique_ptr<JournalFile>>& files, bool expected,
                       const Replay& visit);
  Result<std::unique_ptr<JournalFile>> make_file(const std::function<bool()>& is_urgent = {});
  Result<void> take_file();
  void begin(Write& write) noexcept;
  Result<void> reap() noexcept;
  std::unexpected<core::Error> fail_for_good(core::Error why);

  const JournalOptions options;
  JournalMark mark;
  core::Ring ring;
  Descriptor wake_event;
  std::uint64_t wake_value = 0;
  bool wake_armed = false;

  std::vector<Write> writes;  // a queue: `first`, `count`
  std::size_t first = 0;
  std::size_t count = 0;
  std::size_t in_kernel = 0;
  std::uint64_t sequence = 0;
  std::uint64_t durable_through = 0;
  std::string failure;  // why nothing is written any more; empty: it is

  std::unique_ptr<JournalFile> current;
  std::size_t offset = 0;  // in it
  // The next one is needed before long.
  std::atomic<bool> half_full{false};

  std::string damage;  // that was accepted

  mutable std::mutex mutex;  // guards what follows; taken once in a file
  std::deque<std::unique_ptr<JournalFile>> full;
  std::deque<std::unique_ptr<JournalFile>> spare;  // the one released first is used first
  std::uint64_t next_number = 1;
};

Result<void> Journal::Impl::open_ring() {
  wake_event = Descriptor(eventfd(0, EFD_CLOEXEC));
  if (!wake_event.valid()) return fail(Errc::io, core::with_errno("eventfd", errno));
  return ring.open({.submissions = kRingEntries, .completions = 64, .single_thread = false});
}

Result<void> Journal::Impl::recover(std::vector<std::unique_ptr<JournalFile>>& files, bool expected,
                                    const Replay& visit) {
  JournalRecovery recovery;
  if (auto scanned = recovery.scan(files, mark.id); !scanned) return scanned;
  std::string found;
  if (!recovery.empty()) {
    auto replayed = recovery.replay(mark.checkpoint, visit);
    if (!replayed) return std::unexpected(std::move(replayed).error());
    found = *std::move(replayed);
  } else if (expected) {
    found = "the journal is missing or damaged as a whole; the database needs it";
  }
  if (!found.empty()) {
    found += " (" + options.directory + ")";
    if (!options.accept_damage) return fail(Errc::corrupt, std::move(found));
    damage = std::move(found);
  }
  sequence = mark.checkpoint;
  std::size_t newest = files.size();
  if (!recovery.empty()) {
    // The file of the newest frame is gone on with, behind it: so the newest one is never written
    // over before there is a newer one.
    const JournalRecovery::End end = recovery.end();
    sequence = std::max(sequence, end.sequence);
    newest = end.file;
    offset = end.offset;
  }
  durable_through = sequence;
  for (std::size_t number = 0; number < files.size(); ++number) {
    if (number == newest) {
      current = std::move(files[number]);
    } else if (files[number]->bytes == options.file_bytes) {
      spare.push_back(std::move(files[number]));
    } else {
      // Of another size than is wanted now: goes with the next release.
      full.push_back(std::move(files[number]));
    }
  }
  return {};
}

Result<std::unique_ptr<Journal>> Journal::open(const JournalOptions& options,
                                               const JournalMark& mark, bool expected,
                                               const Replay& replay) {
  CHECK(options.writes_max > 0 && options.writes_max <= kJournalWritesMax &&
        options.file_bytes % kJournalBlockBytes == 0 && options.file_bytes > 0);
  auto impl = std::make_unique<Impl>(options);
  impl->mark = mark;
  if (auto opened = impl->open_ring(); !opened) return std::unexpected(opened.error());
  auto files = open_journal_files(options.directory, impl->next_number);
  if (!files) return std::unexpected(std::move(files).error());
  if (auto recovered = impl->recover(*files, expected, replay); !recovered) {
    return std::unexpected(std::move(recovered).error());
  }
  return std::unique_ptr<Journal>(new Journal(std::move(impl)));
}

Journal::Journal(std::unique_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}

Journal::~Journal() {
  // The kernel may still read the buffers.
  while (impl_->in_kernel > 0) {
    impl_->ring.submit_and_wait(core::Ring::kForever);
    // A failed write has ended too.
    if (const auto reaped = impl_->reap(); !reaped) continue;
  }
}

Result<std::unique_ptr<JournalFile>> Journal::Impl::make_file(
    const std::function<bool()>& is_urgent) {
  std::uint64_t number = 0;
  {
    const std::lock_guard lock(mutex);
    number = next_number++;
  }
  return make_journal_file(options.directory, number, options.file_bytes, is_urgent);
}

// The present file is full.
Result<void> Journal::Impl::take_file() {
  std::unique_ptr<JournalFile> taken;
  {
    const std::lock_guard lock(mutex);
    if (current) full.push_back(std::move(current));
    if (!spare.empty()) {
      taken = std::move(spare.front());
      spare.pop_front();
    }
  }
  if (!taken) {
    auto made = make_file();
    if (!made) return std::unexpected(made.error());
    taken = *std::move(made);
  }
  current = std::move(taken);
  current->last_sequence = 0;
  offset = 0;
  half_full.store(false, std::memory_order_relaxed);
  return {};
}

Result<bool> Journal::append(std::string_view payload) {
  Impl& self = *impl_;
  CHECK(self.count < self.writes.size());
  if (!self.failure.empty()) return fail(Errc::unavailable, self.failure);
  const std::size_t bytes = frame_bytes(payload.size());
  if (bytes > self.options.file_bytes) {
    return self.fail_for_good(
        {Errc::unavailable, "a batch of " + std::to_string(payload.size()) +
                                " bytes is longer than a file of the journal"});
  }
  bool took_file = false;
  if (!self.current || self.current->bytes - std::min(self.offset, self.current->bytes) < bytes) {
    if (auto taken = self.take_file(); !taken) {
      return self.fail_for_good(std::move(taken).error());
    }
    took_file = true;
  }
  Impl::Write& write = self.writes[(self.first + self.count) % self.writes.size()];
  if (write.buffer.size() < bytes) write.buffer = AlignedBuffer(bytes + bytes / 2);
  const FrameHeader header{.journal = self.mark.id,
                           .sequence = self.sequence + 1,
                           .durable_through = self.durable_through};
  write_frame(header, payload, {write.buffer.data(), bytes});
  write.descriptor = self.current->descriptor.get();
  write.offset = self.offset;
  write.bytes = bytes;
  write.written = 0;
  write.sequence = header.sequence;
  write.done = false;
  ++self.sequence;
  ++self.count;
  ++self.in_kernel;
  self.offset += bytes;
  if (self.offset > self.current->bytes / 2) {
    self.half_full.store(true, std::memory_order_relaxed);
  }
  self.current->last_sequence = header.sequence;
  self.begin(write);
  self.ring.submit();
  return took_file;
}

void Journal::Impl::begin(Write& write) noexcept {
  io_uring_sqe& entry = ring.prepare(static_cast<std::uint64_t>(&write - writes.data()));
  const std::size_t left = write.bytes - write.written;
  io_uring_prep_write(&entry, write.descriptor, write.buffer.data() + write.written,
                      static_cast<unsigned>(left), write.offset + write.written);
}

std::unexpected<core::Error> Journal::Impl::fail_for_good(core::Error why) {
  failure = why.message;
  return std::unexpected(std::move(why));
}

Result<void> Journal::Impl::reap() noexcept {
  std::array<core::Completion, 16> completions;
  Result<void> outcome;
  while (const std::size_t taken = ring.take(completions)) {
    for (const core::Completion& completion : std::span(completions).first(taken)) {
      if (completion.user_data == kWakeTag) {
        wake_armed = false;
        continue;
      }
      Write& write = writes[completion.user_data];
      const bool injected = options.writes_fail && options.writes_fail->load();
      if (completion.result <= 0 || injected) {
        --in_kernel;
        outcome = fail_for_good(write_error(completion.result < 0 ? -completion.result : EIO));
        continue;
      }
      write.written += static_cast<std::size_t>(completion.result);
      if (write.written == write.bytes) {
        --in_kernel;
        write.done = true;
      } else if (write.written % kJournalBlockBytes == 0) {
        begin(write);
        ring.submit();
      } else {
        --in_kernel;
        outcome = fail_for_good(write_error(EIO));
      }
    }
  }
  return outcome;
}

Result<bool> Journal::collect() {
  Impl& self = *impl_;
  if (auto reaped = self.reap(); !reaped) return std::unexpected(reaped.error());
  if (!self.failure.empty()) return fail(Errc::unavailable, self.failure);
  if (self.count == 0 || !self.writes[self.first].done) return false;
  self.durable_through = self.writes[self.first].sequence;
  self.first = (self.first + 1) % self.writes.size();
  --self.count;
  return true;
}

void Journal::wait() noexcept {
  Impl& self = *impl_;
  if (!self.wake_armed) {
    io_uring_sqe& entry = self.ring.prepare(kWakeTag);
    io_uring_prep_read(&entry, self.wake_event.get(), &self.wake_value, sizeof(self.wake_value), 0);
    self.wake_armed = true;
  }
  self.ring.submit_and_wait(core::Ring::kForever);
  // Or what ended this wait would end the next one too, where nobody collects in between. A failure
  // is kept for whoever does.
  if (const auto reaped = self.reap(); !reaped) return;
}

void Journal::interrupt() noexcept {
  const std::uint64_t one = 1;
  static_cast<void>(!write(impl_->wake_event.get(), &one, sizeof(one)));
}

const std::string& Journal::damage() const noexcept { return impl_->damage; }
std::uint64_t Journal::last_sequence() const noexcept { return impl_->sequence; }
std::size_t Journal::under_way() const noexcept { return impl_->count; }

void Journal::release(std::uint64_t checkpoint) {
  Impl& self = *impl_;
  const std::lock_guard lock(self.mutex);
  while (!self.full.empty() && self.full.front()->last_sequence <= checkpoint) {
    if (self.full.front()->bytes == self.options.file_bytes) {
      self.spare.push_back(std::move(self.full.front()));
    } else {
      unlink(self.full.front()->path.c_str());
    }
    self.full.pop_front();
  }
}

std::size_t Journal::unreleased_bytes() const noexcept {
  const std::lock_guard lock(impl_->mutex);
  return impl_->full.size() * impl_->options.file_bytes;
}

Result<bool> Journal::make_spare(const std::function<bool()>& is_urgent) {
  {
    const std::lock_guard lock(impl_->mutex);
    if (!impl_->spare.empty()) return false;
  }
  auto made = impl_->make_file([this, &is_urgent] {
    return impl_->half_full.load(std::memory_order_relaxed) || (is_urgent && is_urgent());
  });
  if (!made) return std::unexpected(made.error());
  const std::lock_guard lock(impl_->mutex);
  impl_->spare.push_back(*std::move(made));
  return true;
}

}  // namespace tokend::store
