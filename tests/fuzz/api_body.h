#pragma once
// One fuzz input through the body reader: what its fuzzer and the replay of its corpus share.
//
// The input: one byte that chooses the content type, then the body. Whatever the bytes are, the
// reader must not read beyond the promised padding, must say the same twice, and what it hands out
// as text must be UTF-8 and lie in its bounds.

#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>

#include "core/error.h"
#include "core/session.h"
#include "http/api/body.h"
#include "http/api/target.h"
#include "http/api/text.h"

namespace tokend::api::testing {

inline constexpr std::string_view kFuzzTypes[] = {
    "application/json", "", "Application/JSON; charset=utf-8", "application/x-www-form-urlencoded",
    "text/plain",
};
inline constexpr std::string_view kFuzzKeys[] = {"userId", "username", "user",
                                                 "secret", "a",        "permissions"};

// Adds all that is below `value` to `seen`; the reader bounds the depth.
inline void walk(JsonValue value, std::string& seen) {
  if (const auto text = value.text()) {
    CHECK(is_utf8(*text));
    seen.append("s:").append(*text);
  }
  if (const auto boolean = value.boolean()) seen += *boolean ? "t" : "f";
  for (const std::string_view key : kFuzzKeys) {
    const auto member = value.member(key);
    CHECK(!member || value.is_object());
    if (member) walk(*member, seen);
  }
  const bool whole = value.each([&seen](JsonValue element) {
    walk(element, seen);
    return true;
  });
  CHECK(whole == value.is_array());
}

inline std::string read_body(BodyReader& reader, std::string_view type, std::string_view bytes,
                             char padding) {
  const std::size_t size = bytes.size() + core::kReceivePaddingBytes;
  const auto buffer = std::make_unique<char[]>(size);
  std::memset(buffer.get(), padding, size);
  std::memcpy(buffer.get(), bytes.data(), bytes.size());
  Body body;
  const BodyFault fault = reader.read(type, {buffer.get(), bytes.size()}, body);
  std::string seen(1, static_cast<char>('0' + static_cast<int>(fault)));
  for (const std::string_view key : kFuzzKeys) {
    const auto text = body.text(key);
    CHECK(!text || (fault == BodyFault::none && is_utf8(*text)));
    if (text) seen.append("=").append(*text);
    const auto name = body.name(key);
    CHECK(!name || trim(*name) == *name);
    if (const auto boolean = body.boolean(key)) seen += *boolean ? "T" : "F";
    if (const auto value = body.value(key)) walk(*value, seen);
  }
  const auto target = target_of(body);
  CHECK(!target || !target->value.empty());
  return seen;
}

inline void run_api_body_input(const std::uint8_t* data, std::size_t size) {
  constexpr std::size_t kBodyBytesMax = 4'096;
  if (size == 0 || size > kBodyBytesMax) return;
  BodyReader reader(kBodyBytesMax);
  const std::string_view type = kFuzzTypes[data[0] % std::size(kFuzzTypes)];
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  // What stands behind the body is no part of it.
  const std::string first = read_body(reader, type, bytes, '"');
  CHECK(first == read_body(reader, type, bytes, '}'));
  CHECK(first == read_body(reader, type, bytes, '\0'));
}

}  // namespace tokend::api::testing
