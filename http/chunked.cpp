#include "http/chunked.h"

#include <algorithm>
#include <cstring>

#include "http/characters.h"

namespace tokend::http {
namespace {

int hex_digit(unsigned char byte) noexcept {
  if (byte >= '0' && byte <= '9') return byte - '0';
  const int letter = byte | 0x20;
  return letter >= 'a' && letter <= 'f' ? letter - 'a' + 10 : -1;
}

}  // namespace

ChunkedDecoder::Result ChunkedDecoder::decode(const char* input, const char* end,
                                              char* output) noexcept {
  while (input != end) {
    if (state_ == State::data) {
      const std::size_t part = static_cast<std::size_t>(
          std::min<std::uint64_t>(chunk_, static_cast<std::uint64_t>(end - input)));
      std::memmove(output, input, part);
      output += part;
      input += part;
      chunk_ -= part;
      if (chunk_ == 0) state_ = State::data_cr;
      continue;
    }
    const Status status = step(static_cast<unsigned char>(*input++));
    if (status != Status::need_more) return {status, input, output};
  }
  return {Status::need_more, input, output};
}

ChunkedDecoder::Status ChunkedDecoder::step(unsigned char byte) noexcept {
  switch (state_) {
    case State::size: {
      const int digit = hex_digit(byte);
      if (digit >= 0) {
        if (++digits_ > kSizeDigitsMax) return Status::malformed;
        chunk_ = chunk_ << 4 | static_cast<std::uint64_t>(digit);
        return chunk_ > room_ ? Status::body_too_large : Status::need_more;
      }
      if (digits_ == 0) return Status::malformed;
      if (byte == ';') {
        state_ = State::extension;
      } else if (byte == '\r') {
        state_ = State::size_lf;
      } else {
        return Status::malformed;
      }
      return Status::need_more;
    }
    case State::extension:
      if (byte == '\r') {
        state_ = State::size_lf;
      } else if (!is_field_value(byte) || ++extension_bytes_ > kExtensionBytesMax) {
        return Status::malformed;
      }
      return Status::need_more;
    case State::size_lf:
      if (byte != '\n') return Status::malformed;
      state_ = chunk_ == 0 ? State::trailer_start : State::data;
      room_ -= static_cast<std::size_t>(chunk_);
      digits_ = 0;
      return Status::need_more;
    case State::data: break;  // decode() moves whole runs
    case State::data_cr:
      if (byte != '\r') return Status::malformed;
      state_ = State::data_lf;
      return Status::need_more;
    case State::data_lf:
      if (byte != '\n') return Status::malformed;
      state_ = State::size;
      return Status::need_more;
    case State::trailer_start:
      if (byte == '\r') {
        state_ = State::final_lf;
        return Status::need_more;
      }
      if (!is_token(byte)) return Status::malformed;
      state_ = State::trailer_name;
      return ++trailer_bytes_ > kTrailerBytesMax ? Status::trailer_too_large : Status::need_more;
    case State::trailer_name:
      if (byte == ':') {
        state_ = State::trailer_value;
      } else if (!is_token(byte)) {
        return Status::malformed;
      }
      return ++trailer_bytes_ > kTrailerBytesMax ? Status::trailer_too_large : Status::need_more;
    case State::trailer_value:
      if (byte == '\r') {
        state_ = State::trailer_lf;
      } else if (!is_field_value(byte)) {
        return Status::malformed;
      }
      return ++trailer_bytes_ > kTrailerBytesMax ? Status::trailer_too_large : Status::need_more;
    case State::trailer_lf:
      if (byte != '\n') return Status::malformed;
      state_ = State::trailer_start;
      return Status::need_more;
    case State::final_lf: return byte == '\n' ? Status::complete : Status::malformed;
  }
  return Status::malformed;
}

}  // namespace tokend::http
