#include "http/date.h"

#include <algorithm>
#include <chrono>
#include <cstring>

#include "core/clock.h"

namespace tokend::http {
namespace {

constexpr char kDays[] = "SunMonTueWedThuFriSat";
constexpr char kMonths[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
constexpr std::int64_t kSecondsMax = 253'402'300'799;  // the last second of year 9999

void put_two(char* place, unsigned value) noexcept {
  place[0] = static_cast<char>('0' + value / 10 % 10);
  place[1] = static_cast<char>('0' + value % 10);
}

}  // namespace

void DateLine::write(std::int64_t wall_ms) noexcept {
  using namespace std::chrono;
  const std::int64_t second =
      std::clamp<std::int64_t>(wall_ms / core::kMillisecondsPerSecond, 0, kSecondsMax);
  from_ms_ = wall_ms - wall_ms % core::kMillisecondsPerSecond;
  until_ms_ = from_ms_ + core::kMillisecondsPerSecond;

  const sys_seconds time{seconds{second}};
  const sys_days day = floor<days>(time);
  const year_month_day date{day};
  const hh_mm_ss clock{time - day};
  std::memcpy(line_, "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n", kBytes);
  std::memcpy(line_ + 6, kDays + 3 * weekday{day}.c_encoding(), 3);
  put_two(line_ + 11, static_cast<unsigned>(date.day()));
  std::memcpy(line_ + 14, kMonths + 3 * (static_cast<unsigned>(date.month()) - 1), 3);
  const unsigned year = static_cast<unsigned>(static_cast<int>(date.year()));
  put_two(line_ + 18, year / 100);
  put_two(line_ + 20, year % 100);
  put_two(line_ + 23, static_cast<unsigned>(clock.hours().count()));
  put_two(line_ + 26, static_cast<unsigned>(clock.minutes().count()));
  put_two(line_ + 29, static_cast<unsigned>(clock.seconds().count()));
}

}  // namespace tokend::http
