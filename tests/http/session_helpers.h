#pragma once
// What the tests of a session share beside its harness.

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "tests/http/harness.h"

namespace tokend::http::testing {

inline std::string get(std::string_view path, std::string_view more = "") {
  std::string request("GET ");
  request.append(path).append(" HTTP/1.1\r\nHost: h\r\n").append(more).append("\r\n");
  return request;
}

inline std::vector<int> statuses_of(Wire& wire, const Core& core) {
  return statuses(wire.received(), core.application.requests);
}

// The places of `words` in `text` are in this order.
inline ::testing::AssertionResult in_order(std::string_view text,
                                           const std::vector<std::string_view>& words) {
  std::size_t at = 0;
  for (const std::string_view word : words) {
    at = text.find(word, at);
    if (at == std::string_view::npos)
      return ::testing::AssertionFailure() << word << " in " << text;
    at += word.size();
  }
  return ::testing::AssertionSuccess();
}

}  // namespace tokend::http::testing
