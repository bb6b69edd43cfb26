#include "store/revocation_floors.h"

#include <algorithm>

#include "store/bytes.h"

namespace tokend::store {
namespace {

constexpr std::string_view kEveryone = "everyone";
constexpr std::string_view kIssuerPrefix = "issuer/";
constexpr std::uint8_t kFloorVersion = 1;

}  // namespace

Locator RevocationFloors::floor_of(const UserId& issuer) const noexcept {
  if (issuer.empty()) return everyone_;
  const auto at = std::ranges::lower_bound(issuers_, issuer, {}, &RevocationFloor::issuer);
  return at != issuers_.end() && at->issuer == issuer ? at->below : Locator{};
}

Locator RevocationFloors::highest() const noexcept {
  Locator highest = everyone_;
  for (const RevocationFloor& floor : issuers_) highest = std::max(highest, floor.below);
  return highest;
}

bool RevocationFloors::raise(const RevocationFloor& floor, std::vector<UserId>& superseded) {
  if (floor.issuer.empty()) {
    everyone_ = std::max(everyone_, floor.below);
    std::erase_if(issuers_, [&](const RevocationFloor& issuer) {
      if (issuer.below > everyone_) return false;
      superseded.push_back(issuer.issuer);
      return true;
    });
    return true;
  }
  const auto at = std::ranges::lower_bound(issuers_, floor.issuer, {}, &RevocationFloor::issuer);
  if (at != issuers_.end() && at->issuer == floor.issuer) {
    at->below = std::max(at->below, floor.below);
    return true;
  }
  if (floor.below <= everyone_) return true;
  if (issuers_.size() >= kIssuerFloorsMax) return false;
  issuers_.insert(at, floor);
  return true;
}

std::vector<RevocationFloor> RevocationFloors::forget(const RevocationFloors& removed) {
  std::vector<RevocationFloor> forgotten;
  if (!everyone_.empty() && everyone_ == removed.everyone_) {
    forgotten.push_back({{}, everyone_});
    everyone_ = {};
  }
  std::erase_if(issuers_, [&](const RevocationFloor& issuer) {
    // What lies below the floor for everyone was removed with that.
    const bool gone = issuer.below <= std::max(removed.everyone_, removed.floor_of(issuer.issuer));
    if (gone) forgotten.push_back(issuer);
    return gone;
  });
  return forgotten;
}

std::string floor_key(const UserId& issuer) {
  if (issuer.empty()) return std::string(kEveryone);
  return std::string(kIssuerPrefix).append(issuer.view());
}

std::string encode_floor(const Locator& below) {
  std::string bytes;
  Writer writer(bytes);
  writer.u8(kFloorVersion);
  writer.bytes(below.bytes);
  return bytes;
}

std::optional<RevocationFloor> decode_floor(std::string_view key, std::string_view value) noexcept {
  RevocationFloor floor;
  if (key != kEveryone) {
    if (!key.starts_with(kIssuerPrefix)) return std::nullopt;
    key.remove_prefix(kIssuerPrefix.size());
    if (key.empty() || !UserId::fits(key)) return std::nullopt;
    floor.issuer = UserId(key);
  }
  Reader reader(value);
  const std::uint8_t version = reader.u8();
  reader.bytes(floor.below.bytes);
  if (!reader.complete() || version != kFloorVersion || floor.below.empty()) return std::nullopt;
  return floor;
}

}  // namespace tokend::store
