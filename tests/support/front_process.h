#pragma once
// A program that stands in front of tokend on a loopback port of its own (nginx, haproxy), ended by
// its process id.
//
// Concurrency: one thread.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "tests/support/child_process.h"

namespace tokend::tests {

// All occurrences.
void replace_all(std::string& text, const std::string& word, const std::string& value);

class FrontProcess {
 public:
  // `configuration` is written to `folder`/front.conf, with FOLDER and PORT replaced by what is
  // chosen at the start; `arguments` are made of that folder.
  FrontProcess(std::string program, std::string configuration,
               std::function<std::vector<std::string>(const std::string& folder)> arguments);

  // False: log() says why. Another program may have taken the port meanwhile: then another port is
  // tried.
  [[nodiscard]] bool start();
  [[nodiscard]] std::uint16_t port() const { return port_; }
  // Its standard error.
  [[nodiscard]] std::string log() const;
  // The exit status; -1 when it did not end in time.
  [[nodiscard]] int stop(int signal);

 private:
  [[nodiscard]] bool serves();

  TemporaryDirectory directory_;
  const std::string program_;
  const std::string configuration_;
  const std::function<std::vector<std::string>(const std::string&)> arguments_;
  std::uint16_t port_ = 0;
  std::unique_ptr<ChildProcess> child_;
};

}  // namespace tokend::tests
