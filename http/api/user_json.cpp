#include "http/api/user_json.h"

#include <array>

#include "http/api/text.h"

namespace tokend::api {
namespace {

// There is no presence here: whoever asks is there, the rest is not.
constexpr std::string_view kOnline = R"("status":"online","statusConnection":"online")";
constexpr std::string_view kOffline = R"("status":"offline")";
constexpr std::string_view kSettings = R"("settings":{"profile":{},"preferences":{}})";

void write_emails(JsonWriter& json, const store::User& user) {
  json.key("emails").begin_array();
  for (const store::Email& email : user.emails) {
    json.begin_object().key("address").text(email.address);
    json.key("verified").boolean(email.verified).end_object();
  }
  json.end_array();
}

// "/avatar/" and encodeURIComponent of a username, made in place: `me` allocates nothing.
class AvatarUrl {
 public:
  explicit AvatarUrl(std::string_view username) noexcept {
    constexpr std::string_view kHex = "0123456789ABCDEF";
    kPrefix.copy(bytes_.data(), kPrefix.size());
    size_ = kPrefix.size();
    for (const char character : username) {
      const auto byte = static_cast<unsigned char>(character);
      const bool unreserved = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
                              (byte >= '0' && byte <= '9') || byte == '-' || byte == '_' ||
                              byte == '.';
      if (unreserved) {
        put(character);
      } else {
        put('%');
        put(kHex[byte >> 4]);
        put(kHex[byte & 15]);
      }
    }
  }
  [[nodiscard]] std::string_view view() const noexcept { return {bytes_.data(), size_}; }

 private:
  static constexpr std::string_view kPrefix = "/avatar/";
  static constexpr std::size_t kUtf8BytesMax = 4;
  void put(char byte) noexcept {
    if (size_ < bytes_.size()) bytes_[size_++] = byte;
  }

  std::array<char, kPrefix.size() + 3 * kUtf8BytesMax * store::kUsernameCharactersMax> bytes_;
  std::size_t size_ = 0;
};

}  // namespace

void write_roles(JsonWriter& json, store::RoleSet roles) {
  json.begin_array();
  for (std::size_t index = 0; index < store::kRoleCount; ++index) {
    const auto role = static_cast<store::Role>(index);
    if (roles.has(role)) json.text(id_of(role));
  }
  json.end_array();
}

void write_role(JsonWriter& json, store::Role role) {
  json.key("_id").text(id_of(role)).key("description").text(description_of(role));
  json.key("mandatory2fa").boolean(false).key("protected").boolean(true);
  json.key("scope").text(scope_of(role)).key("name").text(id_of(role));
}

void write_me(JsonWriter& json, const store::User& user) {
  json.key("_id").text(user.id.view()).key("name").text(user.name);
  write_emails(json, user);
  json.raw(kOnline);
  json.key("username").text(user.username).raw(R"("utcOffset":0)");
  json.key("active").boolean(user.active);
  write_roles(json.key("roles"), user.roles);
  if (user.require_password_change) json.key("requirePasswordChange").boolean(true);
  json.raw(kSettings);
  json.key("avatarUrl").text(AvatarUrl(user.username).view());
  if (!user.emails.empty()) json.key("email").text(user.emails.front().address);
}

void write_full_user(JsonWriter& json, const store::User& user) {
  json.key("_id").text(user.id.view());
  json.key("createdAt").text(view_of(iso_time(user.created_ms)));
  json.key("username").text(user.username);
  write_emails(json, user);
  json.raw(R"("type":"user")").raw(kOffline).key("active").boolean(user.active);
  write_roles(json.key("roles"), user.roles);
  json.key("_updatedAt").text(view_of(iso_time(user.updated_ms)));
  json.key("name").text(user.name);
  if (user.require_password_change) json.key("requirePasswordChange").boolean(true);
  json.raw(kSettings);
}

void write_public_user(JsonWriter& json, const store::User& user) {
  json.key("_id").text(user.id.view()).key("username").text(user.username);
  json.key("name").text(user.name).key("active").boolean(user.active);
}

}  // namespace tokend::api
