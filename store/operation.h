#pragma once
// What a core asks of the store. An operation is an object of the asker's: fields to fill in, a
// continuation, fields that come back. The same object travels to the committer or a worker and
// home again, so asking allocates nothing and a queue can be no longer than its askers.
//
// What a request under way takes up in the caches decides what it costs, so operations are small:
// what only the way through a worker needs, the worker allocates.
//
// The continuation runs once, on the asking core: before the call returns when memory held the
// answer, later when it did not. So after handing an operation to the Store nothing of it (and
// nothing that its continuation may destroy) may be touched.

#include <cstdint>
#include <expected>
#include <string>

#include "core/error.h"
#include "core/mailbox.h"
#include "store/executor.h"

namespace tokend::store {

class Operation : public core::Message {
 public:
  Operation() = default;
  Operation(const Operation&) = delete;
  Operation& operator=(const Operation&) = delete;

  // operation.then<&CreateToken::on_issued>(*this)
  template <auto method, class Object>
  void then(Object& object) noexcept {
    context_ = &object;
    continuation_ = [](void* context) noexcept { (static_cast<Object*>(context)->*method)(); };
  }

  void then(void* context, void (*continuation)(void*) noexcept) noexcept {
    context_ = context;
    continuation_ = continuation;
  }

  // Set before the continuation runs.
  std::expected<void, core::Errc> result;

  // For the store: runs the continuation, after which the operation may be gone.
  void finish() noexcept { continuation_(context_); }

  // Set by the Store that the operation was handed to: its number among the committer's replicas
  // (first: it fits behind the result), and where the operation comes home to.
  std::uint32_t core = 0;
  core::Mailbox* home = nullptr;
  void* store = nullptr;

 private:
  void* context_ = nullptr;
  void (*continuation_)(void*) noexcept = nullptr;
};

// An operation that may have to block, and is then a worker's job.
struct BlockingOperation : Operation, Job {};

// Comes home in the core's next turn, behind what waits in its mailbox by then: for work that is
// done in slices, so that others are served in between. Never fails.
struct NextTurn : Operation {};

// bcrypt of the hex SHA-256 of a password, on a bounded pool; `full` at its limit.
struct HashPassword : BlockingOperation {
  std::string sha256_hex;     // in; wiped
  std::string password_hash;  // out
};

// Also run for unknown users, against a fixed hash, so that time does not tell who exists.
struct VerifyPassword : BlockingOperation {
  std::string sha256_hex;     // in; wiped
  std::string password_hash;  // in; empty: nobody's, the answer is false
  bool matches = false;       // out
};

}  // namespace tokend::store
