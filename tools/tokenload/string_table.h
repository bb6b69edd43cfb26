#pragma once
// Many short strings behind each other, so that going through them in order goes through memory in
// order.

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace tokend::load {

class StringTable {
 public:
  void add(std::string_view text) {
    bytes_ += text;
    ends_.push_back(bytes_.size());
  }
  [[nodiscard]] std::string_view operator[](std::size_t index) const noexcept {
    const std::size_t begin = index == 0 ? 0 : ends_[index - 1];
    return {bytes_.data() + begin, ends_[index] - begin};
  }
  [[nodiscard]] std::size_t size() const noexcept { return ends_.size(); }

 private:
  std::string bytes_;
  std::vector<std::size_t> ends_;
};

}  // namespace tokend::load
