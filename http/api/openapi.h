#pragma once
// The description of everything that is served, as it is served: http/api/openapi.json without the
// white space that is there for readers, built in by CMake.

#include <string_view>

namespace tokend::api {

// An OpenAPI 3.1 document. Any thread.
[[nodiscard]] std::string_view openapi_description() noexcept;

}  // namespace tokend::api
