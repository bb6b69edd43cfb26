#include "tests/support/api_description.h"

#include "core/error.h"
#include "tests/support/child_process.h"

namespace tokend::tests {
namespace {

using simdjson::dom::element;
using simdjson::dom::object;

constexpr std::string_view kOtherAnswers = "/x-answers-without-operation";
constexpr std::string_view kJson = "application/json";

element parse(simdjson::dom::parser& parser, std::string_view text) {
  element document;
  CHECK(parser.parse(text.data(), text.size()).get(document) == simdjson::SUCCESS);
  return document;
}

// "get" of GET and of HEAD, whose answer is the same without the body.
std::string operation_of(std::string_view method) {
  if (method == "HEAD") return "get";
  std::string name(method);
  for (char& byte : name) {
    if (byte >= 'A' && byte <= 'Z') byte = static_cast<char>(byte - 'A' + 'a');
  }
  return name;
}

std::string json_text_of(std::string_view text) {
  std::string json = "\"";
  for (const char byte : text) {
    if (byte == '"' || byte == '\\') json += '\\';
    json += byte;
  }
  return json + '"';
}

std::optional<element> member(element of, std::string_view key) {
  object members;
  element found;
  if (of.get(members) || members.at_key(key).get(found)) return std::nullopt;
  return found;
}

}  // namespace

ApiDescription::ApiDescription(std::string_view document)
    : document_(parse(parser_, document)),
      schema_(document_) {}

const ApiDescription& ApiDescription::of_tokend() {
  static const ApiDescription description(
      read_whole_file(TOKEND_SOURCE_DIR "/http/api/openapi.json"));
  return description;
}

std::string ApiDescription::violation(const std::optional<Asked>& asked,
                                      const Response& response) const {
  const bool interim = response.status == 100 && response.headers.empty();
  if (interim) return {};
  const std::string status = std::to_string(response.status);
  const bool head_only = asked && asked->method == "HEAD";
  std::string problems;
  bool described = false;
  const auto fits = [&](std::optional<element> answers) {
    const auto answer = answers ? member(*answers, status) : std::nullopt;
    if (!answer) return false;
    described = true;
    const std::string found = violation_of(resolved(*answer), head_only, response);
    problems += found;
    return found.empty();
  };
  if (asked && fits(find_answers(*asked))) return {};
  // The session may refuse any request, and then closes the connection.
  if (response.header("Connection") == "close") {
    element refusals;
    CHECK(document_.at_pointer(std::string(kOtherAnswers) + "/refusal").get(refusals) ==
          simdjson::SUCCESS);
    if (fits(refusals)) return {};
  }
  return described ? problems : "no such status is described: " + status + "\n";
}

std::optional<element> ApiDescription::find_path(std::string_view path) const {
  element paths;
  CHECK(document_.at_key("paths").get(paths) == simdjson::SUCCESS);
  if (const auto exact = member(paths, path)) return exact;
  for (const auto& [template_path, item] : members_of(paths)) {
    const std::size_t parameter = template_path.find('{');
    if (parameter == std::string_view::npos || path.size() <= parameter) continue;
    if (path.starts_with(template_path.substr(0, parameter)) &&
        path.find('/', parameter) == std::string_view::npos) {
      return item;
    }
  }
  return std::nullopt;
}

std::optional<element> ApiDescription::find_answers(const Asked& asked) const {
  const auto item = find_path(asked.path);
  if (item) {
    if (const auto operation = member(*item, operation_of(asked.method))) {
      return member(*operation, "responses");
    }
  }
  std::string_view kind = item ? "/otherMethod" : "/unknownPath";
  if (asked.method == "OPTIONS" && (item || asked.path == "*")) kind = "/options";
  element answers;
  if (document_.at_pointer(std::string(kOtherAnswers).append(kind)).get(answers)) {
    return std::nullopt;
  }
  return answers;
}

element ApiDescription::resolved(element described) const {
  std::string_view reference;
  const auto given = member(described, "$ref");
  if (!given || given->get(reference)) return described;
  element target;
  CHECK(find_reference(document_, reference).get(target) == simdjson::SUCCESS);
  return target;
}

std::string ApiDescription::violation_of(element described, bool head_only,
                                         const Response& response) const {
  std::string problems;
  if (const auto headers = member(described, "headers")) {
    for (const auto& [name, header] : members_of(*headers)) {
      problems += header_violation(name, resolved(header), response);
    }
  }
  return problems + content_violation(described, head_only, response);
}

std::string ApiDescription::header_violation(std::string_view name, element described,
                                             const Response& response) const {
  const std::size_t count = response.count(name);
  const auto required = member(described, "required");
  if (count == 0 && !(required && required->get_bool().value())) return {};
  if (count != 1) return "there must be one header " + std::string(name) + "\n";
  const element schema = *member(described, "schema");
  const auto type = member(schema, "type");
  const std::string value = response.header(name);
  const bool number = type && type->get_string().value() == "integer";
  simdjson::dom::parser parser;
  element parsed;
  if (parser.parse(number ? value : json_text_of(value)).get(parsed)) {
    return std::string(name) + ": no number: " + value + "\n";
  }
  const std::string found = schema_.violation(schema, parsed);
  return found.empty() ? found : std::string(name) + ": " + found;
}

std::string ApiDescription::content_violation(element described, bool head_only,
                                              const Response& response) const {
  const std::string type = response.header("Content-Type");
  const auto content = member(described, "content");
  if (!content) {
    return response.body.empty() && response.count("Content-Type") == 0
               ? ""
               : "a body where none is described\n";
  }
  const auto media = member(*content, type);
  if (!media) return "no such content type is described: " + type + "\n";
  if (head_only) return response.body.empty() ? "" : "a body in answer to HEAD\n";
  simdjson::dom::parser parser;
  element value;
  if (parser.parse(type == kJson ? response.body : json_text_of(response.body)).get(value)) {
    return "the body is no JSON\n";
  }
  return schema_.violation(*member(*media, "schema"), value);
}

std::string ApiDescription::defect() const {
  std::string problems;
  for (const auto& [name, schema] :
       members_of(document_.at_pointer("/components/schemas").value())) {
    const std::string found = schema_.defect(schema);
    if (!found.empty()) problems.append(name).append(": ").append(found);
  }
  collect_defects(document_, problems);
  return problems;
}

// Wherever they stand: references lead somewhere, schemas can be checked, answers have a text, and
// their contents schemas.
void ApiDescription::collect_defects(element at, std::string& problems) const {
  if (at.is_array()) {
    for (const element part : elements_of(at)) collect_defects(part, problems);
  }
  if (!at.is_object()) return;
  for (const auto& [key, value] : members_of(at)) {
    std::string_view reference;
    if (key == "$ref" && (value.get(reference) || find_reference(document_, reference).error())) {
      problems.append("a reference to nothing: ").append(simdjson::minify(value)).append("\n");
    }
    if (key == "schema") problems += schema_.defect(value);
    if (key == "responses") {
      for (const auto& [status, answer] : members_of(value)) {
        const std::string found = defect_of_response(answer);
        if (!found.empty()) problems.append(status).append(": ").append(found);
      }
    }
    collect_defects(value, problems);
  }
}

std::string ApiDescription::defect_of_response(element described) const {
  if (member(described, "$ref")) return {};
  std::string problems;
  if (!member(described, "description")) problems += "an answer without a description\n";
  if (const auto content = member(described, "content")) {
    for (const auto& [type, media] : members_of(*content)) {
      if (!member(media, "schema")) problems += std::string(type) + " without a schema\n";
    }
  }
  if (const auto headers = member(described, "headers")) {
    for (const auto& [name, header] : members_of(*headers)) {
      if (!member(resolved(header), "schema"))
        problems += std::string(name) + " without a schema\n";
    }
  }
  return problems;
}

}  // namespace tokend::tests
