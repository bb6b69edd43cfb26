#pragma once
// What GET me said of users who asked more than once. It stays the same until the core's cache
// holds another object for the user, so it is copied and not made anew.
//
// Each edition of a user has one place, which it shares with others. What is kept there is what was
// made twice with nobody else's between: where more ask in turn than there are places, nothing is
// copied for nothing.
//
// Concurrency: one core's. Memory: 520 bytes for each of kAnswers, as a rule all of it at the
// first GET me. A longer answer is not kept.

#include <array>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "core/mapping.h"
#include "store/user.h"

namespace tokend::api {

class MeAnswers {
 public:
  static constexpr std::size_t kAnswers = 4096;  // a power of two: editions are given in turn
  static constexpr std::size_t kAnswerBytesMax =
      512 - sizeof(std::uint64_t) - sizeof(std::uint16_t);

  MeAnswers() : memory_(kAnswers * sizeof(Kept)), made_(kAnswers * sizeof(std::uint64_t)) {}

  // Empty: it is not known. Valid until the next keep().
  [[nodiscard]] std::string_view find(const store::User& user) const noexcept {
    const Kept& kept = of(user);
    if (user.edition == 0 || kept.edition != user.edition) return {};
    return {kept.bytes.data(), kept.size};
  }
  void keep(const store::User& user, std::string_view answer) noexcept {
    if (user.edition == 0 || answer.size() > kAnswerBytesMax) return;
    auto& made = reinterpret_cast<std::uint64_t*>(made_.data())[user.edition % kAnswers];
    if (made != user.edition) {
      made = user.edition;
      return;
    }
    Kept& kept = of(user);
    kept.edition = user.edition;
    kept.size = static_cast<std::uint16_t>(answer.size());
    std::memcpy(kept.bytes.data(), answer.data(), answer.size());
  }

 private:
  // Zeroed memory is one that knows nobody.
  struct Kept {
    std::uint64_t edition;
    std::uint16_t size;
    std::array<char, kAnswerBytesMax> bytes;
  };
  static_assert(sizeof(Kept) == 512);

  [[nodiscard]] Kept& of(const store::User& user) const noexcept {
    return reinterpret_cast<Kept*>(memory_.data())[user.edition % kAnswers];
  }

  core::Mapping memory_;
  core::Mapping made_;  // of each place: whose answer was made last
};

}  // namespace tokend::api
