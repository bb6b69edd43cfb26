// A run's phases: warm-up, measured time, waiting for what is still out (tools/tokenload/loop.h).

#include <algorithm>

#include "core/clock.h"
#include "tools/tokenload/loop.h"

namespace tokend::load {
namespace {

// The end of a run of rounds until it is known; far from overflowing.
constexpr std::int64_t kWithoutEndNs = INT64_MAX / 2;

}  // namespace

void LoadLoop::run(std::int64_t start_ns) {
  begin_ns_ = start_ns + plan_.warmup_ns;
  end_ns_ = plan_.rounds > 0 ? kWithoutEndNs : begin_ns_ + plan_.duration_ns;
  const bool open_loop = plan_.rate_per_second > 0;
  if (open_loop) {
    schedule_.emplace(start_ns, plan_.rate_per_second, thread_index_, plan_.threads);
  }
  phase_ = Phase::warm_up;
  now_ns_ = core::SystemClock().monotonic_ns();
  answered_ns_ = start_ns;
  while (now_ns_ < start_ns) {
    submit_and_wait(start_ns);
    reap();
  }
  while (true) {
    step_phases();
    // An open loop sends what was due within the measured time, however late.
    const bool backlog = open_loop && !all_dead() && schedule_->intended_ns(scheduled_) < end_ns_;
    if (phase_ == Phase::drain &&
        ((outstanding_ == 0 && !backlog) || now_ns_ > end_ns_ + kDrainNs)) {
      break;
    }
    if (all_dead()) break;
    std::int64_t until_ns = end_ns_ + kDrainNs;
    if (phase_ == Phase::warm_up) until_ns = begin_ns_;
    if (phase_ == Phase::measure) {
      until_ns = plan_.rounds > 0 ? answered_ns_ + plan_.stall_ns : end_ns_;
    }
    if (open_loop) {
      fill_open_loop();
      // Without a ready connection only a completion can help.
      if (!ready_.empty() && schedule_->intended_ns(scheduled_) < end_ns_) {
        until_ns = std::min(until_ns, schedule_->intended_ns(scheduled_));
      }
    } else if (phase_ != Phase::drain) {
      fill_closed_loop();
    }
    if (open_loop && plan_.tick_ns > 0) {
      wait_for_tick();
    } else {
      submit_and_wait(until_ns);
    }
    reap();
  }
  result_.unanswered += outstanding_;
  if (outstanding_ > 0) note_error("requests were still unanswered at the end");
  if (open_loop) {
    while (schedule_->intended_ns(scheduled_ + result_.unsent) < end_ns_) ++result_.unsent;
    if (result_.unsent > 0) note_error("the rate was never reached: requests were left unsent");
  }
  if (plan_.rounds > 0 && left_ > 0) {
    result_.unsent = left_;
    note_error("the rounds were not completed: requests were left unsent");
  }
  result_.token_hashes.assign(token_hashes_.begin(), token_hashes_.end());
}

void LoadLoop::step_phases() {
  if (phase_ == Phase::warm_up && now_ns_ >= begin_ns_) {
    phase_ = Phase::measure;
    measured_begin_ns_ = now_ns_;
    use_at_begin_ = own_use();
  }
  if (phase_ != Phase::measure) return;
  if (plan_.rounds > 0) {
    const bool stalled = now_ns_ >= answered_ns_ + plan_.stall_ns;
    if ((left_ == 0 && outstanding_ == 0) || stalled) {
      // What did not come in all that time is not waited for any longer.
      end_ns_ = stalled ? now_ns_ - kDrainNs : now_ns_;
      end_measuring();
    }
  } else if (now_ns_ >= end_ns_) {
    end_measuring();
  }
}

void LoadLoop::end_measuring() {
  phase_ = Phase::drain;
  result_.measured_ns = now_ns_ - measured_begin_ns_;
  result_.use = own_use() - use_at_begin_;
}

}  // namespace tokend::load
