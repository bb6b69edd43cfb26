#pragma once
// The bytes of a journal's frame; ARCHITECTURE.md specifies them.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>

#include "store/crc32c.h"

namespace tokend::store {

// What O_DIRECT writes in, and what a frame is a multiple of.
inline constexpr std::size_t kJournalBlockBytes = 4096;

[[nodiscard]] constexpr std::size_t journal_blocks(std::size_t bytes) noexcept {
  return (bytes + kJournalBlockBytes - 1) / kJournalBlockBytes * kJournalBlockBytes;
}

struct FrameHeader {
  static constexpr std::uint32_t kMagic = 0x4a6b6f74;  // "tokJ"
  static constexpr std::uint64_t kVersion = 1;

  std::uint32_t magic = kMagic;
  std::uint32_t crc = 0;
  std::uint64_t journal = 0;
  std::uint64_t sequence = 0;
  std::uint64_t durable_through = 0;
  std::uint64_t payload_bytes = 0;
  std::uint64_t version = kVersion;
};
static_assert(sizeof(FrameHeader) == 48);
inline constexpr std::size_t kFrameUncheckedBytes = offsetof(FrameHeader, journal);

// Room for a frame, to be filled up with zeros.
[[nodiscard]] constexpr std::size_t frame_bytes(std::size_t payload_bytes) noexcept {
  return journal_blocks(sizeof(FrameHeader) + payload_bytes);
}

// `out` has frame_bytes(payload.size()).
inline void write_frame(FrameHeader header, std::string_view payload,
                        std::span<char> out) noexcept {
  const std::size_t used = sizeof(header) + payload.size();
  header.payload_bytes = payload.size();
  std::memcpy(out.data(), &header, sizeof(header));
  std::memcpy(out.data() + sizeof(header), payload.data(), payload.size());
  std::memset(out.data() + used, 0, out.size() - used);
  header.crc = crc32c({out.data() + kFrameUncheckedBytes, used - kFrameUncheckedBytes});
  std::memcpy(out.data(), &header, sizeof(header));
}

// The header of the frame of this journal that `bytes` begin with; nothing when there is none.
[[nodiscard]] inline std::optional<FrameHeader> read_frame(std::string_view bytes,
                                                           std::uint64_t journal) noexcept {
  FrameHeader header;
  if (bytes.size() < sizeof(header)) return std::nullopt;
  std::memcpy(&header, bytes.data(), sizeof(header));
  if (header.magic != FrameHeader::kMagic || header.journal != journal ||
      header.version != FrameHeader::kVersion ||
      header.payload_bytes > bytes.size() - sizeof(header)) {
    return std::nullopt;
  }
  const std::string_view checked = bytes.substr(
      kFrameUncheckedBytes, sizeof(header) - kFrameUncheckedBytes + header.payload_bytes);
  if (header.crc != crc32c(checked)) return std::nullopt;
  return header;
}

}  // namespace tokend::store
