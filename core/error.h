#pragma once
// Two ways for things to go wrong, kept apart. A bug trips CHECK, which is on in every build and
// ends the process. Anything the outside can cause (peer, disk, input, a limit) is a value: Error
// inside a Result. Nothing in this project throws.

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace tokend::core {

// One kind for each thing that a caller can do about it.
enum class Errc : std::uint8_t {
  invalid,      // the input is wrong: tell whoever sent it
  not_found,    // the thing named does not exist
  exists,       // a thing of that name exists already
  refused,      // a rule forbids it
  full,         // a named limit was reached: try again later (503 with Retry-After)
  unavailable,  // durability is lost or the server stops: nothing succeeds until a restart
  io,           // the operating system or the disk failed
  corrupt,      // stored data does not decode
};

[[nodiscard]] std::string_view name_of(Errc code) noexcept;

// `message` is for the operator, never for the wire; it stays empty on the request path, where
// making one would allocate.
struct Error {
  Errc code;
  std::string message;
};

template <class T>
using Result = std::expected<T, Error>;

[[nodiscard]] inline std::unexpected<Error> fail(Errc code, std::string message = {}) {
  return std::unexpected<Error>(Error{code, std::move(message)});
}

// "<what>: <what the errno means>".
[[nodiscard]] std::string with_errno(std::string_view what, int error);

// Prints the condition and its place to standard error and aborts.
[[noreturn]] void check_failed(const char* condition, const char* file, int line) noexcept;

}  // namespace tokend::core

#define CHECK(condition)                               \
  (static_cast<bool>(condition) ? static_cast<void>(0) \
                                : ::tokend::core::check_failed(#condition, __FILE__, __LINE__))
