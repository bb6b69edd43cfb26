#pragma once
// Pieces of memory that one thread fills, one after the other, and that another one hands over to
// the tables of RocksDB in the same order. The one that is being filled is open, those before it
// are sealed. What was handed over is dropped, and its memory used again.
//
// Concurrency: a piece is read and filled with lock() held shared, so readers wait for nobody but
// the change from one piece to the next; everything that says so needs it, the rest takes it.
// Piece::clear() makes it as good as new; nobody else has it then.

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <utility>
#include <vector>

#include "core/error.h"

namespace tokend::store {

template <class Piece>
class HandOverQueue {
 public:
  using SharedLock = std::shared_lock<std::shared_mutex>;
  using Lock = std::unique_lock<std::shared_mutex>;

  // At least 2: one is filled while another one is handed over.
  explicit HandOverQueue(std::size_t pieces_max) : pieces_max_(pieces_max) {
    CHECK(pieces_max >= 2);
  }

  [[nodiscard]] SharedLock lock_shared() const { return SharedLock(mutex_); }
  [[nodiscard]] Lock lock() const { return Lock(mutex_); }

  // --- With the lock held.

  [[nodiscard]] const std::deque<std::shared_ptr<Piece>>& pieces() const noexcept {
    return pieces_;
  }
  // nullptr: all are sealed.
  [[nodiscard]] Piece* open() const noexcept { return has_open_ ? pieces_.back().get() : nullptr; }
  [[nodiscard]] std::size_t sealed() const noexcept { return pieces_.size() - (has_open_ ? 1 : 0); }
  [[nodiscard]] bool is_full() const noexcept { return pieces_.size() >= pieces_max_; }
  // Its hand-over has begun: whoever does that may have seen what it had before, and not now.
  [[nodiscard]] bool is_under_way(const Piece& piece) const noexcept {
    return under_way_ && &piece == pieces_.front().get();
  }
  // Why nothing is handed over any more; empty: it is.
  [[nodiscard]] const std::string& closed() const noexcept { return closed_; }
  // Waits for `duration` at most, until `ready()`; a hand-over that ends and close() look again.
  template <class Duration, class Ready>
  void wait_for(SharedLock& lock, Duration duration, Ready&& ready) {
    changed_.wait_for(lock, duration, [&] { return !closed_.empty() || ready(); });
  }

  // --- With the lock held exclusively.

  // Seals the open piece and opens another one: the memory of an old one for which `fits(piece)`
  // holds, else of `make()`. Waits while it is full. Errc::unavailable once it is closed.
  template <class Fits, class Make>
  [[nodiscard]] core::Result<Piece*> open_next(Lock& lock, Fits&& fits, Make&& make) {
    has_open_ = false;
    changed_.wait(lock, [&] { return !is_full() || !closed_.empty(); });
    if (!closed_.empty()) return core::fail(core::Errc::unavailable, closed_);
    if (spare_ && fits(*spare_)) {
      pieces_.push_back(std::move(spare_));
    } else {
      pieces_.push_back(make());
    }
    has_open_ = true;
    return pieces_.back().get();
  }
  // The oldest sealed piece; none: nullptr. It stays until finish().
  [[nodiscard]] std::shared_ptr<const Piece> begin() noexcept {
    if (sealed() == 0) return nullptr;
    under_way_ = true;
    return pieces_.front();
  }

  // --- Takes the lock.

  // What is here, oldest first.
  [[nodiscard]] std::vector<std::shared_ptr<const Piece>> all() const {
    const SharedLock held = lock_shared();
    return {pieces_.begin(), pieces_.end()};
  }
  void seal() noexcept {
    const Lock held = lock();
    has_open_ = false;
  }
  [[nodiscard]] std::size_t count_sealed() const {
    const SharedLock held = lock_shared();
    return sealed();
  }
  // What begin() gave is in the tables: it is dropped, here and in `piece`.
  void finish(std::shared_ptr<const Piece>& piece) {
    std::shared_ptr<Piece> dropped;
    {
      const Lock held = lock();
      CHECK(is_under_way(*piece));
      piece.reset();
      dropped = std::move(pieces_.front());
      pieces_.pop_front();
      under_way_ = false;
      changed_.notify_one();
    }
    // Unless somebody still looks at it. It takes a while, and nobody need wait for it.
    if (dropped.use_count() != 1) return;
    // What its last reader did came before.
    std::atomic_thread_fence(std::memory_order_acquire);
    dropped->clear();
    const Lock held = lock();
    if (!spare_) spare_.swap(dropped);
  }
  void close(const std::string& why) {
    const Lock held = lock();
    closed_ = why;
    changed_.notify_one();
  }

 private:
  const std::size_t pieces_max_;
  mutable std::shared_mutex mutex_;
  std::condition_variable_any changed_;
  std::deque<std::shared_ptr<Piece>> pieces_;
  std::shared_ptr<Piece> spare_;  // memory that was touched before
  bool has_open_ = false;
  bool under_way_ = false;
  std::string closed_;
};

}  // namespace tokend::store
