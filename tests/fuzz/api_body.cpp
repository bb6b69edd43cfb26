// libFuzzer's entry to api_body.h.

#include "tests/fuzz/api_body.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  tokend::api::testing::run_api_body_input(data, size);
  return 0;
}
