#pragma once
// The one place where request bodies are read: content types, JSON and its strictness, forms
// (contract 9.4 and 9.5). simdjson is known to body.cpp only.
//
// The whole document is valid or the request is refused, also in parts that nobody asks for: UTF-8,
// escapes (no lone surrogates), numbers, nesting up to kJsonDepthMax, nothing behind the object.
//
// Concurrency: one BodyReader per core. A Body and all text from it are valid until the next
// read() on that core, which means: until the endpoint returns to the loop or answers.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "http/api/form.h"
#include "http/message.h"

namespace tokend::api {

inline constexpr std::size_t kJsonDepthMax = 64;

// A place in the document that was read. A default one is of no kind.
class JsonValue {
 public:
  JsonValue() = default;

  [[nodiscard]] std::optional<std::string_view> text() const noexcept;
  [[nodiscard]] std::optional<bool> boolean() const noexcept;
  // Nothing when it is written with a fraction or an exponent, or 64 bits don't hold it.
  [[nodiscard]] std::optional<std::int64_t> integer() const noexcept;
  [[nodiscard]] bool is_null() const noexcept;
  // As a double holds it; one of more than 18 digits before the point or that no double reaches may
  // be told as 0.5.
  [[nodiscard]] std::optional<double> number() const noexcept;
  [[nodiscard]] bool is_object() const noexcept;
  [[nodiscard]] bool is_array() const noexcept;
  // Members of an object, repeated ones too; 0 when this is none.
  [[nodiscard]] std::size_t size() const noexcept;
  // A member of an object; of repeated keys the last. Nothing when this is not an object.
  [[nodiscard]] std::optional<JsonValue> member(std::string_view key) const noexcept;
  // The elements of an array in order, until `visit` returns false. True when this is an array and
  // all were visited.
  template <class Visit>
  bool each(Visit&& visit) const noexcept {
    return each_element(&visit, [](void* context, JsonValue element) noexcept {
      return (*static_cast<std::remove_reference_t<Visit>*>(context))(element);
    });
  }

 private:
  friend class BodyReader;
  using Visitor = bool (*)(void* context, JsonValue element) noexcept;
  bool each_element(void* context, Visitor visit) const noexcept;

  const void* document_ = nullptr;
  std::size_t index_ = 0;
};

class Body {
 public:
  // An empty body; JSON `{}`.
  Body() = default;

  // Nothing when absent or, in JSON, of another type.
  [[nodiscard]] std::optional<std::string_view> text(std::string_view key) const noexcept {
    return form_ ? form_->find(key) : json_text(key);
  }
  // Trimmed; nothing when that leaves nothing.
  [[nodiscard]] std::optional<std::string_view> name(std::string_view key) const noexcept;
  // A form says `true` or `false`.
  [[nodiscard]] std::optional<bool> boolean(std::string_view key) const noexcept;
  // A form says it in decimal digits, with '-' in front of a negative one.
  [[nodiscard]] std::optional<std::int64_t> integer(std::string_view key) const noexcept;
  // Fields, repeated ones too.
  [[nodiscard]] std::size_t size() const noexcept { return form_ ? form_->size() : json_.size(); }
  [[nodiscard]] bool is_form() const noexcept { return form_ != nullptr; }
  // A form's field that stands there more than once.
  [[nodiscard]] bool repeats(std::string_view key) const noexcept {
    return form_ && form_->repeats(key);
  }
  // Nothing in a form, where every value is text.
  [[nodiscard]] std::optional<JsonValue> value(std::string_view key) const noexcept {
    return form_ ? std::nullopt : json_.member(key);
  }

 private:
  friend class BodyReader;
  [[nodiscard]] std::optional<std::string_view> json_text(std::string_view key) const noexcept;

  const FormFields* form_ = nullptr;
  JsonValue json_;
};

enum class BodyFault : std::uint8_t { none, invalid_json, invalid_form, unsupported_media_type };

class BodyReader {
 public:
  // `json_bytes_max` is of the routes that take more than others; they take no forms of that size.
  BodyReader(std::size_t body_bytes_max, std::size_t json_bytes_max);
  explicit BodyReader(std::size_t body_bytes_max) : BodyReader(body_bytes_max, body_bytes_max) {}
  ~BodyReader();
  BodyReader(const BodyReader&) = delete;
  BodyReader& operator=(const BodyReader&) = delete;

  [[nodiscard]] BodyFault read(const http::Request& request, Body& body) noexcept {
    return read(request.header(http::Header::content_type), request.body(), body);
  }
  // core::kReceivePaddingBytes behind `bytes` must be readable.
  [[nodiscard]] BodyFault read(std::string_view content_type, std::string_view bytes,
                               Body& body) noexcept;
  // The fields of a query, until the next read.
  [[nodiscard]] BodyFault read_query(std::string_view query, Body& body) noexcept;

 private:
  struct Parser;
  [[nodiscard]] BodyFault read_json(std::string_view bytes, Body& body) noexcept;

  const std::size_t form_bytes_max_;
  std::unique_ptr<Parser> parser_;
  FormFields form_;
};

}  // namespace tokend::api
