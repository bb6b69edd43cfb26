#pragma once
// Fields of application/x-www-form-urlencoded text: a form body, or the query of a target.
//
// '+' is a space and %XX a byte. A malformed escape, text that is not UTF-8 and more than
// kFormFieldsMax fields make the whole input malformed: guessing what was meant would let two
// readers of one request disagree. Of repeated names the last wins.
//
// Concurrency: one instance per core. What find() returns is valid until the next parse().

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tokend::api {

inline constexpr std::size_t kFormFieldsMax = 1'000;

class FormFields {
 public:
  explicit FormFields(std::size_t bytes_max);

  // False when malformed; the form is empty then.
  [[nodiscard]] bool parse(std::string_view encoded) noexcept;
  [[nodiscard]] std::optional<std::string_view> find(std::string_view name) const noexcept;
  [[nodiscard]] std::size_t size() const noexcept { return fields_.size(); }
  [[nodiscard]] bool repeats(std::string_view name) const noexcept;

 private:
  struct Field {
    std::string_view name;
    std::string_view value;
  };
  std::optional<std::string_view> decode(std::string_view encoded) noexcept;

  std::string decoded_;  // as long as the longest input; decoding only shortens
  std::size_t used_ = 0;
  std::vector<Field> fields_;
};

}  // namespace tokend::api
