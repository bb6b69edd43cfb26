#pragma once
// When a core gives what it holds for other threads to them. The committer makes one batch of what
// it finds, and where it shares the core's processor it interrupts the turn that woke it. So while
// requests come in by the dozen, what they ask for is held back until a batch has come together;
// never for long, and never when the core is about to sleep, which is the reactor's to see to.
//
// Concurrency: one core's.

#include <cstddef>

namespace tokend::core {

class HandOver {
 public:
  static constexpr std::size_t kMessagesMin = 96;     // are worth a batch
  static constexpr std::size_t kCompletionsMin = 16;  // in a turn: more is to be expected
  static constexpr std::size_t kTurnsMax = 4;         // that something waits for

  // At the end of a turn that took `completions` off the ring, with `held` messages waiting.
  [[nodiscard]] bool is_due(std::size_t completions, std::size_t held) noexcept {
    if (held > 0 && held < kMessagesMin && completions >= kCompletionsMin && turns_ < kTurnsMax) {
      ++turns_;
      return false;
    }
    turns_ = 0;
    return true;
  }
  // They went before they were due.
  void happened() noexcept { turns_ = 0; }

 private:
  std::size_t turns_ = 0;
};

}  // namespace tokend::core
