#include "store/journal_recovery.h"

#include <algorithm>

#include "store/journal_frame.h"

namespace tokend::store {

using core::Result;

Result<void> JournalRecovery::scan(const std::vector<std::unique_ptr<JournalFile>>& files,
                                   std::uint64_t journal) {
  files_ = &files;
  journal_ = journal;
  for (std::size_t number = 0; number < files.size(); ++number) {
    if (auto scanned = scan_file(number); !scanned) return scanned;
  }
  return {};
}

Result<void> JournalRecovery::scan_file(std::size_t number) {
  const JournalFile& file = *(*files_)[number];
  const AlignedBuffer content(std::max(file.bytes, kJournalBlockBytes));
  const auto read = file.read_at(content.data(), file.bytes, 0);
  if (!read) return std::unexpected(read.error());
  const std::string_view bytes(content.data(), *read);
  for (std::size_t at = 0; at + kJournalBlockBytes <= bytes.size();) {
    const auto header = read_frame(bytes.substr(at), journal_);
    if (!header) {
      at += kJournalBlockBytes;
      continue;
    }
    frames_[header->sequence] = {number, at, header->payload_bytes};
    told_durable_ = std::max(told_durable_, header->durable_through);
    at += frame_bytes(header->payload_bytes);
  }
  return {};
}

Result<std::string> JournalRecovery::replay(std::uint64_t checkpoint, const Replay& visit) {
  std::uint64_t next = checkpoint + 1;
  for (auto at = frames_.find(next); at != frames_.end() && at->first == next; ++at, ++next) {
    const Place& place = at->second;
    const AlignedBuffer frame(frame_bytes(place.payload_bytes));
    const auto read = (*files_)[place.file]->read_at(frame.data(), frame.size(), place.offset);
    if (!read) return std::unexpected(read.error());
    if (!read_frame({frame.data(), *read}, journal_)) break;  // it checked a moment ago
    const auto visited = visit(next, {frame.data() + sizeof(FrameHeader), place.payload_bytes});
    if (!visited) return std::unexpected(visited.error());
  }
  // Everything up to here is there. What comes is a tear, unless somebody was told of it.
  if (std::max(told_durable_, checkpoint) >= next) {
    return "the journal is damaged: frame " + std::to_string(next) +
           " was acknowledged and is missing or does not check, " + place_behind(next - 1);
  }
  if (!frames_.empty() && end().sequence < checkpoint) {
    return "the journal ends with frame " + std::to_string(end().sequence) +
           ", but the database has seen frame " + std::to_string(checkpoint);
  }
  return std::string();
}

std::string JournalRecovery::place_behind(std::uint64_t sequence) const {
  const auto frame = frames_.find(sequence);
  if (frame == frames_.end()) return "before the first frame that is left";
  const Place& place = frame->second;
  return "at " + (*files_)[place.file]->path + " offset " +
         std::to_string(place.offset + frame_bytes(place.payload_bytes));
}

JournalRecovery::End JournalRecovery::end() const noexcept {
  const auto& [sequence, place] = *frames_.rbegin();
  return {place.file, place.offset + frame_bytes(place.payload_bytes), sequence};
}

}  // namespace tokend::store
