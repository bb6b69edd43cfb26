#include "tools/tokend/log.h"

#include <spdlog/logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <mutex>
#include <utility>

#include "core/error.h"

namespace tokend::tools {
namespace {

using core::Severity;

// Hands whole lines to LogOptions::sink.
class FunctionSink final : public spdlog::sinks::base_sink<spdlog::details::null_mutex> {
 public:
  explicit FunctionSink(std::function<void(std::string_view)> function)
      : function_(std::move(function)) {}

 private:
  void sink_it_(const spdlog::details::log_msg& message) override {
    spdlog::memory_buf_t line;
    formatter_->format(message, line);
    function_(std::string_view(line.data(), line.size()));
  }
  void flush_() override {}

  std::function<void(std::string_view)> function_;
};

spdlog::level::level_enum level_of(Severity severity) {
  switch (severity) {
    case Severity::debug: return spdlog::level::debug;
    case Severity::info: return spdlog::level::info;
    case Severity::warning: return spdlog::level::warn;
    case Severity::error: return spdlog::level::err;
  }
  return spdlog::level::err;
}

// One line of harmless characters, and inside of quotes when it is JSON. Other bytes pass: text
// that is not UTF-8 stays the reader's problem, as it was before.
void append_escaped(std::string_view line, bool json, std::string& out) {
  static constexpr char kDigits[] = "0123456789abcdef";
  for (const char letter : line) {
    const auto byte = static_cast<unsigned char>(letter);
    if (byte < 0x20 || byte == 0x7f) {
      out += json ? "\\u00" : "\\x";
      out += {kDigits[byte >> 4], kDigits[byte & 15]};
    } else {
      if (json && (letter == '"' || letter == '\\')) out += '\\';
      out += letter;
    }
  }
}

}  // namespace

struct LogThread::Writer {
  explicit Writer(spdlog::sink_ptr sink) : logger("tokend", std::move(sink)) {}
  spdlog::logger logger;
};

CoreLog::CoreLog(LogThread& thread)
    : thread_(thread),
      records_(std::make_unique<Record[]>(kRecords)) {
  for (std::size_t index = 0; index < kRecords; ++index) {
    Record& record = records_[index];
    record.owner = this;
    record.deliver = [](core::Message& message) noexcept {
      auto& delivered = static_cast<Record&>(message);
      delivered.owner->thread_.write_record(delivered);
    };
    free_.push_back(record);
  }
}

void CoreLog::write(Severity severity, std::string_view line) noexcept {
  if (severity < thread_.options_.least) return;
  if (free_.empty()) free_.append(returned_.take());
  auto* record = static_cast<Record*>(free_.pop_front());
  if (!record) {
    dropped_.fetch_add(1, std::memory_order_relaxed);
    return;
  }
  record->severity = severity;
  record->wall_ms = thread_.clock_.wall_ms();
  record->bytes = static_cast<std::uint16_t>(std::min(line.size(), kLineBytes));
  std::memcpy(record->line.data(), line.data(), record->bytes);
  thread_.mailbox_.post(*record);
}

LogThread::LogThread(const LogOptions& options, const core::Clock& clock)
    : options_(options),
      clock_(clock) {
  spdlog::sink_ptr sink;
  if (options.sink) {
    sink = std::make_shared<FunctionSink>(options.sink);
  } else {
    sink = std::make_shared<spdlog::sinks::stderr_sink_st>();
  }
  writer_ = std::make_unique<Writer>(std::move(sink));
  writer_->logger.set_level(spdlog::level::trace);
  const char* pattern = options.json
                            ? R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ","level":"%l","message":"%v"})"
                            : "%Y-%m-%dT%H:%M:%S.%eZ %l %v";
  // A line end of its own only where lines are not handed on one by one.
  writer_->logger.set_formatter(std::make_unique<spdlog::pattern_formatter>(
      pattern, spdlog::pattern_time_type::utc, options.sink ? "" : "\n"));
  // A standard error that is closed or full must not end or slow the server; the line is lost.
  writer_->logger.set_error_handler([](const std::string&) {});
  stop_message_.owner = this;
  stop_message_.deliver = [](core::Message& message) noexcept {
    static_cast<StopMessage&>(message).owner->stopping_ = true;
  };
}

LogThread::~LogThread() { stop(); }

CoreLog& LogThread::add_core() {
  CHECK(!thread_.joinable());
  return *cores_.emplace_back(std::make_unique<CoreLog>(*this));
}

void LogThread::start() {
  thread_ = std::thread([this] { run(); });
}

void LogThread::stop() {
  if (!thread_.joinable()) return;
  mailbox_.post(stop_message_);
  thread_.join();
}

void LogThread::run() {
  while (!stopping_) {
    write_all();
    // After a stop the mailbox is not put to sleep: nobody would take the wake-up.
    if (!stopping_ && mailbox_.prepare_to_sleep()) waker_.semaphore.acquire();
  }
}

void LogThread::write_all() {
  core::MessageList messages = mailbox_.take();
  while (core::Message* message = messages.pop_front()) message->deliver(*message);
  tell_drops();
  writer_->logger.flush();
}

void LogThread::tell_drops() {
  std::uint64_t dropped = 0;
  for (const auto& core : cores_) dropped += core->dropped_.exchange(0, std::memory_order_relaxed);
  if (dropped == 0) return;
  writer_->logger.warn("{} lines of the log were dropped: they came faster than they are written",
                       dropped);
}

void LogThread::write_record(CoreLog::Record& record) noexcept {
  line_.clear();
  append_escaped({record.line.data(), record.bytes}, options_.json, line_);
  const std::chrono::system_clock::time_point time{std::chrono::milliseconds(record.wall_ms)};
  writer_->logger.log(time, spdlog::source_loc{}, level_of(record.severity),
                      spdlog::string_view_t(line_));
  // The record goes home last: from here on its owner may write into it.
  record.owner->returned_.post(record);
}

}  // namespace tokend::tools
