#pragma once
// A database with little room for tokens everywhere, so that a few of them pass all of it.

#include <cstdint>
#include <string>

#include "tests/store/rocks_fixture.h"

namespace tokend::store {

class RocksWithLittleRoom : public RocksTest {
 protected:
  RocksWithLittleRoom() {
    options.token_segment_bytes = 8U << 10;
    options.journal_file_bytes = 64U << 10;
    options.journal_bytes_max = 128U << 10;
  }
};

// In the order of the numbers.
[[nodiscard]] inline std::string token_key(std::uint64_t number) {
  return std::string(view_of(Locator::make(static_cast<std::int64_t>(number / 100), 0,
                                           static_cast<std::uint32_t>(number))));
}

}  // namespace tokend::store
