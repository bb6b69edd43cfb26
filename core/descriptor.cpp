#include "core/descriptor.h"

#include <unistd.h>

namespace tokend::core {

void Descriptor::close() noexcept {
  // The result says nothing that could be acted on: on Linux the number is free even after EINTR.
  if (number_ >= 0) ::close(number_);
  number_ = -1;
}

}  // namespace tokend::core
