#pragma once
// The alphabet of all records at rest: fixed little-endian integers and strings behind a length.
// Writing never fails; reading checks every length, and a Reader that failed stays failed and
// yields zeros, so a decoder asks once at its end.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

#include "core/error.h"

namespace tokend::store {

class Writer {
 public:
  explicit Writer(std::string& out) noexcept : out_(out) {}

  void u8(std::uint8_t value) { out_.push_back(static_cast<char>(value)); }
  void u16(std::uint16_t value) { integer(value); }
  void u32(std::uint32_t value) { integer(value); }
  void u64(std::uint64_t value) { integer(value); }
  void i64(std::int64_t value) { integer(static_cast<std::uint64_t>(value)); }
  void bytes(std::span<const std::uint8_t> value) {
    out_.append(reinterpret_cast<const char*>(value.data()), value.size());
  }
  void text8(std::string_view value) {
    CHECK(value.size() <= UINT8_MAX);
    u8(static_cast<std::uint8_t>(value.size()));
    out_.append(value);
  }
  void text16(std::string_view value) {
    CHECK(value.size() <= UINT16_MAX);
    u16(static_cast<std::uint16_t>(value.size()));
    out_.append(value);
  }

 private:
  template <class Unsigned>
  void integer(Unsigned value) {
    char bytes[sizeof(Unsigned)];
    for (std::size_t i = 0; i < sizeof(Unsigned); ++i) {
      bytes[i] = static_cast<char>(static_cast<std::uint64_t>(value) >> (8 * i));
    }
    out_.append(bytes, sizeof(Unsigned));
  }

  std::string& out_;
};

class Reader {
 public:
  explicit Reader(std::string_view bytes) noexcept : rest_(bytes) {}

  // True when everything was there and nothing is left.
  [[nodiscard]] bool complete() const noexcept { return !failed_ && rest_.empty(); }
  [[nodiscard]] bool failed() const noexcept { return failed_; }

  std::uint8_t u8() noexcept { return integer<std::uint8_t>(); }
  std::uint16_t u16() noexcept { return integer<std::uint16_t>(); }
  std::uint32_t u32() noexcept { return integer<std::uint32_t>(); }
  std::uint64_t u64() noexcept { return integer<std::uint64_t>(); }
  std::int64_t i64() noexcept { return static_cast<std::int64_t>(integer<std::uint64_t>()); }
  void bytes(std::span<std::uint8_t> out) noexcept {
    const std::string_view taken = take(out.size());
    if (!taken.empty()) std::memcpy(out.data(), taken.data(), out.size());
  }
  std::string_view text8() noexcept { return take(u8()); }
  std::string_view text16() noexcept { return take(u16()); }
  // A text8 that must fit a FixedString.
  template <class Fixed>
  Fixed fixed() noexcept {
    const std::string_view text = text8();
    if (!Fixed::fits(text)) {
      failed_ = true;
      return {};
    }
    return Fixed(text);
  }

 private:
  std::string_view take(std::size_t count) noexcept {
    if (failed_ || count > rest_.size()) {
      failed_ = true;
      return {};
    }
    const std::string_view taken = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return taken;
  }
  template <class Unsigned>
  Unsigned integer() noexcept {
    const std::string_view taken = take(sizeof(Unsigned));
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < taken.size(); ++i) {
      value |= std::uint64_t{static_cast<std::uint8_t>(taken[i])} << (8 * i);
    }
    return static_cast<Unsigned>(value);
  }

  std::string_view rest_;
  bool failed_ = false;
};

}  // namespace tokend::store
