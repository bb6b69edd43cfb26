#pragma once
// JSON as the contract has it: no spaces, keys in the order in which they are written. The bytes go
// into a string of the core's that has grown once and is used again for every answer.
//
// UTF-8 passes through as it is; what must be escaped is escaped as JSON.stringify does it.

#include <charconv>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace tokend::api {

// Whether some byte must be escaped; eight are looked at in one step.
[[nodiscard]] inline bool needs_escape(std::string_view text) noexcept {
  constexpr std::uint64_t kOnes = 0x0101010101010101U;
  constexpr std::uint64_t kHighs = kOnes * 0x80;
  std::uint64_t found = 0;
  const auto look_at = [&](std::uint64_t word) noexcept {
    const std::uint64_t quote = word ^ (kOnes * '"');
    const std::uint64_t backslash = word ^ (kOnes * '\\');
    found |= ((word - kOnes * 0x20) & ~word) | ((quote - kOnes) & ~quote) |
             ((backslash - kOnes) & ~backslash);
  };
  std::uint64_t word = 0;
  for (; text.size() >= sizeof(word); text.remove_prefix(sizeof(word))) {
    std::memcpy(&word, text.data(), sizeof(word));
    look_at(word);
  }
  word = kOnes * ' ';
  if (!text.empty()) std::memcpy(&word, text.data(), text.size());
  look_at(word);
  return (found & kHighs) != 0;
}

// Appends `text` without quotes around it.
inline void append_escaped(std::string& out, std::string_view text) {
  if (!needs_escape(text)) [[likely]] {
    out += text;
    return;
  }
  constexpr std::string_view kHex = "0123456789abcdef";
  std::size_t clean = 0;  // start of what needs no escape and is not yet copied
  for (std::size_t index = 0; index < text.size(); ++index) {
    const auto byte = static_cast<unsigned char>(text[index]);
    if (byte >= 0x20 && byte != '"' && byte != '\\') continue;
    out.append(text, clean, index - clean);
    clean = index + 1;
    switch (byte) {
      case '"': out += "\\\""; break;
      case '\\': out += "\\\\"; break;
      case '\b': out += "\\b"; break;
      case '\t': out += "\\t"; break;
      case '\n': out += "\\n"; break;
      case '\f': out += "\\f"; break;
      case '\r': out += "\\r"; break;
      default:
        out += "\\u00";
        out += kHex[byte >> 4];
        out += kHex[byte & 15];
    }
  }
  out.append(text, clean);
}

class JsonWriter {
 public:
  // Starts anew in `out`.
  explicit JsonWriter(std::string& out) : out_(out) { out_.clear(); }

  JsonWriter& begin_object() { return open('{'); }
  JsonWriter& end_object() { return close('}'); }
  JsonWriter& begin_array() { return open('['); }
  JsonWriter& end_array() { return close(']'); }

  // Keys are ours: they need no escape.
  JsonWriter& key(std::string_view name) {
    put(name, R"(":)");
    comma_ = false;
    return *this;
  }
  JsonWriter& text(std::string_view value) {
    if (!needs_escape(value)) [[likely]] {
      put(value, R"(")");
      return *this;
    }
    separate();
    out_ += '"';
    append_escaped(out_, value);
    out_ += '"';
    return *this;
  }
  JsonWriter& boolean(bool value) {
    separate();
    out_ += value ? std::string_view("true") : std::string_view("false");
    return *this;
  }
  JsonWriter& number(std::int64_t value) {
    separate();
    char digits[24];
    const char* end = std::to_chars(digits, digits + sizeof(digits), value).ptr;
    out_ += std::string_view(digits, static_cast<std::size_t>(end - digits));
    return *this;
  }
  // JSON that stands as it is: a value, or members with their keys.
  JsonWriter& raw(std::string_view json) {
    separate();
    out_ += json;
    return *this;
  }

  [[nodiscard]] std::string_view view() const noexcept { return out_; }

 private:
  // A comma if one is due, a quote, `middle` and `end`: in one step, because most of an answer is
  // made of these.
  void put(std::string_view middle, std::string_view end) {
    const std::size_t begin = out_.size();
    const std::size_t size = begin + (comma_ ? 2 : 1) + middle.size() + end.size();
    // Some libraries tell the function of the capacity, not of the size.
    out_.resize_and_overwrite(size, [&](char* bytes, std::size_t) noexcept {
      char* out = bytes + begin;
      if (comma_) *out++ = ',';
      *out++ = '"';
      if (!middle.empty()) std::memcpy(out, middle.data(), middle.size());
      std::memcpy(out + middle.size(), end.data(), end.size());
      return size;
    });
    comma_ = true;
  }
  void separate() {
    if (comma_) out_ += ',';
    comma_ = true;
  }
  JsonWriter& open(char bracket) {
    separate();
    out_ += bracket;
    comma_ = false;
    return *this;
  }
  JsonWriter& close(char bracket) {
    out_ += bracket;
    comma_ = true;
    return *this;
  }

  std::string& out_;
  bool comma_ = false;  // something stands before the next member
};

}  // namespace tokend::api
