#include "tests/support/sent_requests.h"

#include <strings.h>

#include <algorithm>
#include <cstdlib>

namespace tokend::tests {
namespace {

constexpr std::string_view kEndOfLine = "\r\n";

// The value of the first header line of that name.
std::optional<std::string> header_of(std::string_view head, std::string_view name) {
  for (std::size_t at = head.find(kEndOfLine); at != std::string_view::npos;
       at = head.find(kEndOfLine, at)) {
    at += kEndOfLine.size();
    const std::string_view line = head.substr(at, head.find(kEndOfLine, at) - at);
    if (line.size() <= name.size() || line[name.size()] != ':' ||
        strncasecmp(line.data(), name.data(), name.size()) != 0) {
      continue;
    }
    std::string_view value = line.substr(name.size() + 1);
    while (value.starts_with(' ')) value.remove_prefix(1);
    return std::string(value);
  }
  return std::nullopt;
}

Asked asked_by(std::string_view request_line) {
  const std::size_t space = request_line.find(' ');
  if (space == std::string_view::npos) return {std::string(request_line), {}};
  std::string_view target = request_line.substr(space + 1);
  target = target.substr(0, target.find(' '));
  constexpr std::string_view kScheme = "http://";  // the absolute form
  if (target.starts_with(kScheme)) {
    const std::size_t path = target.find('/', kScheme.size());
    target = path == std::string_view::npos ? "/" : target.substr(path);
  }
  return {std::string(request_line.substr(0, space)),
          std::string(target.substr(0, target.find('?')))};
}

}  // namespace

void SentRequests::add(std::string_view bytes) {
  const std::lock_guard lock(mutex_);
  unread_ += bytes;
  while (read_part()) {
  }
}

std::optional<Asked> SentRequests::take() {
  const std::lock_guard lock(mutex_);
  if (asked_.empty()) return std::nullopt;
  Asked oldest = std::move(asked_.front());
  asked_.pop_front();
  return oldest;
}

bool SentRequests::read_part() {
  switch (reads_) {
    case Reads::head: return read_head();
    case Reads::body: skip_body(); return body_left_ == 0;
    case Reads::chunk_size: {
      const auto line = take_line();
      if (!line) return false;
      const std::size_t bytes = std::strtoull(line->c_str(), nullptr, 16);
      reads_ = bytes == 0 ? Reads::trailers : Reads::body;
      body_left_ = bytes + kEndOfLine.size();
      return true;
    }
    case Reads::trailers: {
      const auto line = take_line();
      if (line && line->empty()) reads_ = Reads::head;
      return line.has_value();
    }
  }
  return false;
}

bool SentRequests::read_head() {
  while (unread_.starts_with(kEndOfLine)) unread_.erase(0, kEndOfLine.size());
  const std::size_t end = unread_.find("\r\n\r\n");
  if (end == std::string::npos) return false;
  const std::string head = unread_.substr(0, end);
  unread_.erase(0, end + 2 * kEndOfLine.size());
  asked_.push_back(asked_by(head.substr(0, head.find(kEndOfLine))));
  chunked_ = header_of(head, "Transfer-Encoding").has_value();
  body_left_ = std::strtoull(header_of(head, "Content-Length").value_or("0").c_str(), nullptr, 10);
  if (chunked_) {
    reads_ = Reads::chunk_size;
  } else if (body_left_ > 0) {
    reads_ = Reads::body;
  }
  return true;
}

void SentRequests::skip_body() {
  const std::size_t count = std::min(body_left_, unread_.size());
  unread_.erase(0, count);
  body_left_ -= count;
  if (body_left_ == 0) reads_ = chunked_ ? Reads::chunk_size : Reads::head;
}

std::optional<std::string> SentRequests::take_line() {
  const std::size_t end = unread_.find(kEndOfLine);
  if (end == std::string::npos) return std::nullopt;
  std::string line = unread_.substr(0, end);
  unread_.erase(0, end + kEndOfLine.size());
  return line;
}

}  // namespace tokend::tests
