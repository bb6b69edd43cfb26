// libFuzzer's entry to http_session.h.

#include "tests/fuzz/http_session.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  tokend::http::testing::run_http_session_input(data, size);
  return 0;
}
