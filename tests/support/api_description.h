#pragma once
// What http/api/openapi.json says of an answer: its status, its content type, its body and the
// headers that are told of. HttpClient holds every answer of tokend against it.
//
// Concurrency: any thread.

#include <simdjson.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/http_client.h"
#include "tests/support/json_schema.h"
#include "tests/support/sent_requests.h"

namespace tokend::tests {

class ApiDescription {
 public:
  // Trips a CHECK when it is no JSON.
  explicit ApiDescription(std::string_view document);

  // Of the source tree, read once.
  [[nodiscard]] static const ApiDescription& of_tokend();

  // Why `response` to `asked` is none that is described; empty when it is. Nothing was asked: bytes
  // that are no request.
  [[nodiscard]] std::string violation(const std::optional<Asked>& asked,
                                      const Response& response) const;
  // What of the document cannot be checked: schemas, references and answers that are malformed.
  // Empty when all can.
  [[nodiscard]] std::string defect() const;

  [[nodiscard]] simdjson::dom::element document() const { return document_; }

 private:
  using Element = simdjson::dom::element;

  // The path item that a path means: exactly, or by its last segment.
  [[nodiscard]] std::optional<Element> find_path(std::string_view path) const;
  // Where the answers to `asked` stand, by status.
  [[nodiscard]] std::optional<Element> find_answers(const Asked& asked) const;
  [[nodiscard]] Element resolved(Element element) const;

  // `described` is a Response Object.
  [[nodiscard]] std::string violation_of(Element described, bool head_only,
                                         const Response& response) const;
  [[nodiscard]] std::string header_violation(std::string_view name, Element described,
                                             const Response& response) const;
  [[nodiscard]] std::string content_violation(Element described, bool head_only,
                                              const Response& response) const;
  [[nodiscard]] std::string defect_of_response(Element described) const;
  void collect_defects(Element element, std::string& problems) const;

  simdjson::dom::parser parser_;
  Element document_;
  JsonSchema schema_;
};

}  // namespace tokend::tests
