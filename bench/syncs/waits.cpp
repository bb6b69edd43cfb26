#include "bench/syncs/waits.h"

#include <algorithm>
#include <cstddef>

namespace tokend::syncs {

std::vector<double> waits_us(std::span<const double> ends_us, double every_us) {
  std::vector<double> waits;
  // One that comes while a write is under way waits for that one, and for its own.
  for (std::size_t own = 2; own < ends_us.size(); ++own) {
    const double first_us = ends_us.front() + static_cast<double>(waits.size()) * every_us;
    for (double came_us = first_us; came_us < ends_us[own - 1]; came_us += every_us) {
      waits.push_back(ends_us[own] - came_us);
    }
  }
  std::ranges::sort(waits);
  return waits;
}

}  // namespace tokend::syncs
