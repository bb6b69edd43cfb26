#pragma once
// The operator's log: lines left by the cores, written to standard error by one thread.
//
// Operation: a core takes a record from its own fixed pool, copies the line and posts it; the log's
// thread formats and writes it by spdlog and sends the record home, to be used again. Whatever
// finds no free record is dropped and counted, and the log says so when it comes to breathe.
//
// Concurrency: a CoreLog belongs to the one thread that writes to it; LogThread to its maker. The
// only things that both sides touch are two mailboxes and the counter of drops.
//
// Limits: kRecords lines of kLineBytes for each core. Control characters are written as \xNN, so no
// client's text can make a line of its own.

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <semaphore>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "core/clock.h"
#include "core/log.h"
#include "core/mailbox.h"

namespace tokend::tools {

class LogThread;

class CoreLog final : public core::Log {
 public:
  static constexpr std::size_t kRecords = 256;
  static constexpr std::size_t kLineBytes = 480;

  explicit CoreLog(LogThread& thread);
  CoreLog(const CoreLog&) = delete;
  CoreLog& operator=(const CoreLog&) = delete;

  void write(core::Severity severity, std::string_view line) noexcept override;

 private:
  friend class LogThread;

  struct Record : core::Message {
    CoreLog* owner = nullptr;
    std::int64_t wall_ms = 0;
    core::Severity severity = core::Severity::info;
    std::uint16_t bytes = 0;
    std::array<char, kLineBytes> line{};
  };

  // The owner never sleeps on its records: it looks when it has none left.
  struct NoWaker final : core::Waker {
    void wake() noexcept override {}
  };

  LogThread& thread_;
  std::unique_ptr<Record[]> records_;
  core::MessageList free_;
  NoWaker no_waker_;
  core::Mailbox returned_{no_waker_};
  std::atomic<std::uint64_t> dropped_{0};  // by this core, not yet told
};

struct LogOptions {
  core::Severity least = core::Severity::info;
  bool json = false;
  // Where whole lines go, without their line end; standard error if not set. On the log's thread.
  std::function<void(std::string_view)> sink = {};
};

class LogThread {
 public:
  LogThread(const LogOptions& options, const core::Clock& clock);
  // Stops.
  ~LogThread();
  LogThread(const LogThread&) = delete;
  LogThread& operator=(const LogThread&) = delete;

  // Before start(). The log of one more thread; it lives as long as this object.
  [[nodiscard]] CoreLog& add_core();
  void start();
  // Writes what was posted before the call and ends the thread. Lines that come later are lost.
  void stop();

 private:
  friend class CoreLog;

  struct SleepWaker final : core::Waker {
    void wake() noexcept override { semaphore.release(); }
    std::binary_semaphore semaphore{0};
  };
  struct Writer;  // spdlog
  // Tells the thread to end; delivered by it like any other message.
  struct StopMessage : core::Message {
    LogThread* owner = nullptr;
  };

  void run();
  void write_all();
  void tell_drops();
  void write_record(CoreLog::Record& record) noexcept;

  LogOptions options_;
  const core::Clock& clock_;
  std::unique_ptr<Writer> writer_;
  std::vector<std::unique_ptr<CoreLog>> cores_;
  SleepWaker waker_;
  core::Mailbox mailbox_{waker_};
  StopMessage stop_message_;
  bool stopping_ = false;
  std::string line_;  // reused from line to line
  std::thread thread_;
};

}  // namespace tokend::tools
