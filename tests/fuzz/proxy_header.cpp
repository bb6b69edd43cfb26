// libFuzzer's entry to proxy_header.h.

#include "tests/fuzz/proxy_header.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  tokend::core::testing::run_proxy_header_input(data, size);
  return 0;
}
