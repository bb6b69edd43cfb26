#pragma once
// A whole run: a thread for each loop, started together; the server's CPU time is read from outside
// at the two ends of the measured time.

#include <sys/types.h>

#include <optional>

#include "core/error.h"
#include "tools/tokenload/plan.h"
#include "tools/tokenload/result.h"

namespace tokend::load {

// Errc::io when a connection could not be opened, unavailable without io_uring, not_found when the
// server's process is not there.
[[nodiscard]] core::Result<RunResult> run(const Plan& plan, std::optional<pid_t> server_pid);

}  // namespace tokend::load
