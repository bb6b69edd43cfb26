#pragma once
// The header lines of answers (contract 1.3, 4.5 and 9.8), made before there is an answer because
// the instance id is part of them. Every answer under /api says who may read it (http/api/cors.h);
// answers that are not the parser's refusals may not be stored and say who answered.

#include <string>
#include <string_view>

namespace tokend::api {

// Exactly this, without a charset: clients compare it whole.
inline constexpr std::string_view kJsonType = "Content-Type: application/json\r\n";
inline constexpr std::string_view kTextType = "Content-Type: text/plain; charset=utf-8\r\n";
inline constexpr std::string_view kRetryAfter = "Retry-After: 1\r\n";
// RFC 6749, section 5.1.
inline constexpr std::string_view kOauthJson =
    "Content-Type: application/json\r\nCache-Control: no-store\r\nPragma: no-cache\r\n";

struct HeaderBlocks {
  // `origin_lines` say which origin may read the answers.
  HeaderBlocks(std::string_view instance_id, std::string_view origin_lines)
      : cors(std::string(origin_lines)
                 .append("Access-Control-Allow-Headers: Origin, X-Requested-With, Content-Type, "
                         "Accept, X-User-Id, X-Auth-Token\r\n")),
        api(std::string("Cache-Control: no-store\r\nPragma: no-cache\r\nX-Instance-ID: ")
                .append(instance_id)
                .append("\r\n")
                .append(cors)),
        api_json(std::string(kJsonType).append(api)),
        api_text(std::string(kTextType).append(api)),
        refusal(std::string(kJsonType).append(cors)),
        overload(std::string(refusal).append(kRetryAfter)) {}

  std::string cors;
  std::string api;       // all but Content-Type
  std::string api_json;  // nearly every answer
  std::string api_text;
  std::string refusal;   // of bytes that never became a request: their path is not known
  std::string overload;  // the same, when a limit was reached
};

}  // namespace tokend::api
