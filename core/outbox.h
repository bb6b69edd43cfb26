#pragma once
// Messages that leave together: one step at the receiver's mailbox and one wake-up for all of them,
// however many requests they belong to.
//
// Concurrency: one core's. Limit: kReceiversMax receivers, which main() decides on; the messages
// are their senders' objects, so there is no limit of their number here.

#include <array>
#include <cstddef>
#include <utility>

#include "core/error.h"
#include "core/mailbox.h"

namespace tokend::core {

class Outbox {
 public:
  static constexpr std::size_t kReceiversMax = 20;

  // The receiver gets it at the next flush(), in order.
  void put(Mailbox& receiver, Message& message) noexcept {
    std::size_t pile = 0;
    while (pile < used_ && piles_[pile].receiver != &receiver) ++pile;
    if (pile == used_) {
      CHECK(used_ < kReceiversMax);
      piles_[used_++].receiver = &receiver;
    }
    piles_[pile].messages.push_back(message);
    ++held_;
  }

  // Messages that were put since the last flush().
  [[nodiscard]] std::size_t held() const noexcept { return held_; }

  void flush() noexcept {
    held_ = 0;
    for (std::size_t pile = 0; pile < used_; ++pile) {
      piles_[pile].receiver->post(std::move(piles_[pile].messages));
    }
  }

 private:
  struct Pile {
    Mailbox* receiver = nullptr;
    MessageList messages;
  };
  std::array<Pile, kReceiversMax> piles_;
  std::size_t used_ = 0;
  std::size_t held_ = 0;
};

}  // namespace tokend::core
