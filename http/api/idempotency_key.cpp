#include "http/api/idempotency_key.h"

#include "store/bytes.h"

namespace tokend::api {
namespace {

// Of the family `idempotency`: what they name may not change.
constexpr std::uint8_t kOneToken = 1;
constexpr std::uint8_t kManyTokens = 2;

bool is_visible(char byte) noexcept { return byte > ' ' && byte < 0x7F; }

// With lengths, so that no two lists look alike.
void append(std::string& bytes, std::string_view text) {
  store::Writer(bytes).u32(static_cast<std::uint32_t>(text.size()));
  bytes += text;
}

}  // namespace

std::optional<std::string> parse_idempotency_key(std::string_view header) {
  const bool quoted = header.starts_with('"');
  if (quoted) {
    if (header.size() < 2 || !header.ends_with('"')) return {};
    header = header.substr(1, header.size() - 2);
  }
  std::string key;
  for (std::size_t index = 0; index < header.size(); ++index) {
    char byte = header[index];
    if (quoted && byte == '\\') {
      // Also where it stands in front of the last quote, which then ends nothing.
      if (++index == header.size()) return {};
      byte = header[index];
      if (byte != '"' && byte != '\\') return {};
    } else if (byte == '"' || (!quoted && (byte == '\\' || byte == ',' || byte == ';'))) {
      return {};
    }
    if (!is_visible(byte) || key.size() == kIdempotencyKeyCharactersMax) return {};
    key += byte;
  }
  if (key.empty()) return {};
  return key;
}

store::Digest digest_of_request(const Target& target, std::int64_t lifetime_ms) {
  std::string bytes;
  store::Writer writer(bytes);
  writer.u8(kOneToken);
  writer.i64(lifetime_ms);
  writer.u8(target.key == store::UserKey::id ? 0 : 1);
  append(bytes, target.value);
  return store::digest_of(bytes);
}

store::Digest digest_of_request(std::string_view texts, std::span<const std::size_t> ends,
                                bool by_name, std::int64_t lifetime_ms) {
  std::string bytes;
  bytes.reserve(texts.size() + ends.size() * sizeof(std::uint32_t) + 16);
  store::Writer writer(bytes);
  writer.u8(kManyTokens);
  writer.i64(lifetime_ms);
  writer.u8(by_name ? 1 : 0);
  std::size_t begin = 0;
  for (const std::size_t end : ends) {
    append(bytes, texts.substr(begin, end - begin));
    begin = end;
  }
  return store::digest_of(bytes);
}

}  // namespace tokend::api
