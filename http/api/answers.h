#pragma once
// The answers that never vary, to the byte, with the place of the contract that they come from.
// `error` is "<reason> [<code>]", and the keys are success, error, errorType, in this order.

#include <string_view>

namespace tokend::api {

struct FixedAnswer {
  int status;
  std::string_view body;
};

inline constexpr FixedAnswer kSuccess{200, R"({"success":true})"};

// 1.3 and 9.3: the same for every reason why someone is not logged in.
inline constexpr FixedAnswer kNotLoggedIn{
    401, R"({"success":false,"error":"You must be logged in to do this.","status":"error",)"
         R"("message":"You must be logged in to do this."})"};

// 9.2: feature off, wrong secret, no permission and an inactive target cannot be told apart.
inline constexpr FixedAnswer kNotAuthorized{
    400, R"({"success":false,"error":"Not authorized [error-not-authorized]",)"
         R"("errorType":"error-not-authorized"})"};

// 1.3.
inline constexpr FixedAnswer kUserParamNotProvided{
    400,
    R"({"success":false,"error":"The required \"userId\" or \"username\" param was not provided )"
    R"([error-user-param-not-provided]","errorType":"error-user-param-not-provided"})"};
inline constexpr FixedAnswer kInvalidUser{
    400,
    R"({"success":false,"error":"The required \"userId\" or \"username\" param provided does not )"
    R"(match any users [error-invalid-user]","errorType":"error-invalid-user"})"};

// Section 3: no errorType (9.9).
inline constexpr FixedAnswer kForbidden{
    403, R"({"success":false,"error":"User does not have the permissions required for this action )"
         R"([error-unauthorized]"})"};

// 9.4 and 9.5.
inline constexpr FixedAnswer kInvalidJson{
    400, R"({"success":false,"error":"Invalid JSON body [error-invalid-json]",)"
         R"("errorType":"error-invalid-json"})"};
inline constexpr FixedAnswer kInvalidForm{
    400, R"({"success":false,"error":"Invalid form encoding [error-invalid-params]",)"
         R"("errorType":"error-invalid-params"})"};
inline constexpr FixedAnswer kUnsupportedMediaType{
    415, R"({"success":false,"error":"Unsupported Media Type [error-unsupported-media-type]",)"
         R"("errorType":"error-unsupported-media-type"})"};

// 9.7.
inline constexpr FixedAnswer kMethodNotAllowed{
    405, R"({"success":false,"error":"Method Not Allowed [error-method-not-allowed]",)"
         R"("errorType":"error-method-not-allowed"})"};
inline constexpr FixedAnswer kNotFound{
    404,
    R"({"success":false,"error":"Not Found [error-not-found]","errorType":"error-not-found"})"};

// Beyond the original: audit.list.
inline constexpr FixedAnswer kInvalidTime{
    400, R"({"success":false,"error":"A time must be as 2026-01-31T23:59:59.999Z, or milliseconds )"
         R"(since 1970 [error-invalid-time]","errorType":"error-invalid-time"})"};
inline constexpr FixedAnswer kInvalidCursor{
    400, R"({"success":false,"error":"The cursor is none of this list [error-invalid-cursor]",)"
         R"("errorType":"error-invalid-cursor"})"};
inline constexpr FixedAnswer kInvalidEvent{
    400, R"({"success":false,"error":"There is no such event [error-invalid-event]",)"
         R"("errorType":"error-invalid-event"})"};

inline constexpr FixedAnswer kServiceUnavailable{
    503, R"({"success":false,"error":"Service Unavailable [error-service-unavailable]",)"
         R"("errorType":"error-service-unavailable"})"};
inline constexpr FixedAnswer kInternalServerError{
    500, R"({"success":false,"error":"Internal Server Error [error-internal-server-error]",)"
         R"("errorType":"error-internal-server-error"})"};

// 4.1 and 9.10.
inline constexpr FixedAnswer kLoginFailed{
    401, R"({"success":false,"error":"Unauthorized","status":"error","message":"Unauthorized"})"};
inline constexpr FixedAnswer kUserIsNotActivated{
    401, R"({"success":false,"error":"error-user-is-not-activated","status":"error",)"
         R"("message":"User is not activated"})"};
inline constexpr FixedAnswer kLoginBlockedForUser{
    401, R"({"success":false,"error":"error-login-blocked-for-user","status":"error",)"
         R"("message":"Login has been temporarily blocked For User"})"};
inline constexpr FixedAnswer kLoginBlockedForAddress{
    401, R"({"success":false,"error":"error-login-blocked-for-ip","status":"error",)"
         R"("message":"Login has been temporarily blocked For IP"})"};
inline constexpr FixedAnswer kLoginParamsMissing{
    400,
    R"({"success":false,"error":"The required \"user\" and \"password\" params, or \"resume\", )"
    R"(were not provided [error-invalid-params]","errorType":"error-invalid-params"})"};

// 4.2: printed without `success`.
inline constexpr FixedAnswer kLoggedOut{
    200, R"({"status":"success","data":{"message":"You've been logged out!"}})"};

// 4.3.
inline constexpr FixedAnswer kUserNotFound{400, R"({"success":false,"error":"User not found."})"};
inline constexpr FixedAnswer kAddingUserNotAllowed{
    400, R"({"success":false,"error":"Adding user is not allowed [error-action-not-allowed]",)"
         R"("errorType":"error-action-not-allowed"})"};
inline constexpr FixedAnswer kAssigningRolesNotAllowed{
    400, R"({"success":false,"error":"Assigning roles is not allowed [error-action-not-allowed]",)"
         R"("errorType":"error-action-not-allowed"})"};
inline constexpr FixedAnswer kInvalidRoles{
    400, R"({"success":false,"error":"The \"roles\" param must be an array of known role ids )"
         R"([error-invalid-params]","errorType":"error-invalid-params"})"};
inline constexpr FixedAnswer kInvalidCreateParams{
    400,
    R"({"success":false,"error":"The required \"email\", \"name\", \"username\" and \"password\" )"
    R"(params must be strings that are not empty [error-invalid-params]",)"
    R"("errorType":"error-invalid-params"})"};
inline constexpr FixedAnswer kInvalidFlag{
    400, R"({"success":false,"error":"The \"active\", \"verified\" and \"requirePasswordChange\" )"
         R"(params must be booleans [error-invalid-params]","errorType":"error-invalid-params"})"};
inline constexpr FixedAnswer kInvalidDisplayName{
    400, R"({"success":false,"error":"The \"name\" param is too long [error-invalid-params]",)"
         R"("errorType":"error-invalid-params"})"};
inline constexpr FixedAnswer kInvalidStatusParams{
    400,
    R"({"success":false,"error":"The required \"userId\" and \"activeStatus\" params were not )"
    R"(provided [error-invalid-params]","errorType":"error-invalid-params"})"};
inline constexpr FixedAnswer kInvalidPage{
    400, R"({"success":false,"error":"The \"count\" and \"offset\" params must be numbers )"
         R"([error-invalid-params]","errorType":"error-invalid-params"})"};

// users.update, with the texts, codes and details of the original. Each is of one field, or of one
// permission that a change asks for.
inline constexpr FixedAnswer kInvalidUpdateParams{
    400, R"({"success":false,"error":"The required \"userId\" and \"data\" params were not )"
         R"(provided [error-invalid-params]","errorType":"error-invalid-params"})"};
inline constexpr FixedAnswer kInvalidUpdateText{
    400,
    R"({"success":false,"error":"The \"name\", \"username\", \"email\" and \"password\" params )"
    R"(must be strings [error-invalid-params]","errorType":"error-invalid-params"})"};
inline constexpr FixedAnswer kRandomPasswordNotSupported{
    400, R"({"success":false,"error":"The \"setRandomPassword\" param is not supported: no mail )"
         R"(is sent [error-invalid-params]","errorType":"error-invalid-params"})"};
inline constexpr FixedAnswer kUserIsInvalid{
    400, R"({"success":false,"error":"Invalid user [error-invalid-user]",)"
         R"("errorType":"error-invalid-user"})"};
inline constexpr FixedAnswer kIdentityNotSaved{
    400,
    R"({"success":false,"error":"Could not save user identity [error-could-not-save-identity]",)"
    R"("errorType":"error-could-not-save-identity","details":{"method":"saveUser"}})"};
inline constexpr FixedAnswer kEditingUserNotAllowed{
    400, R"({"success":false,"error":"Editing user is not allowed [error-action-not-allowed]",)"
         R"("errorType":"error-action-not-allowed",)"
         R"("details":{"method":"insertOrUpdateUser","action":"Editing_user"}})"};
inline constexpr FixedAnswer kVerifyingOneselfNotAllowed{
    400, R"({"success":false,"error":"Editing email verification is not allowed )"
         R"([error-action-not-allowed]","errorType":"error-action-not-allowed",)"
         R"("details":{"method":"insertOrUpdateUser","action":"Editing_user"}})"};
inline constexpr FixedAnswer kEditingPasswordNotAllowed{
    400,
    R"({"success":false,"error":"Edit user password is not allowed [error-action-not-allowed]",)"
    R"("errorType":"error-action-not-allowed",)"
    R"("details":{"method":"insertOrUpdateUser","action":"Update_user"}})"};
inline constexpr FixedAnswer kInvalidRoleIds{
    400, R"({"success":false,"error":"The field Roles consist invalid role id )"
         R"([error-action-not-allowed]","errorType":"error-action-not-allowed",)"
         R"("details":{"method":"insertOrUpdateUser","action":"Assign_role"}})"};
inline constexpr FixedAnswer kAssigningAdminNotAllowed{
    400, R"({"success":false,"error":"Assigning admin is not allowed [error-action-not-allowed]",)"
         R"("errorType":"error-action-not-allowed",)"
         R"("details":{"method":"insertOrUpdateUser","action":"Assign_admin"}})"};
inline constexpr FixedAnswer kAssignRolesNotAllowed{
    400, R"({"success":false,"error":"Assign roles is not allowed [error-action-not-allowed]",)"
         R"("errorType":"error-action-not-allowed",)"
         R"("details":{"method":"insertOrUpdateUser","action":"Assign_role"}})"};
inline constexpr FixedAnswer kChangingStatusNotAllowed{
    400, R"({"success":false,"error":"Not allowed [error-not-allowed]",)"
         R"("errorType":"error-not-allowed","details":{"method":"setUserActiveStatus"}})"};

// 9.16.
inline constexpr FixedAnswer kLastAdmin{
    400, R"({"success":false,"error":"The last active admin can't be removed [error-last-admin]",)"
         R"("errorType":"error-last-admin"})"};

// The header Idempotency-Key. The draft says 422 of a key that was another request's; here
// whatever a request asks for wrongly is a 400.
inline constexpr FixedAnswer kInvalidIdempotencyKey{
    400, R"({"success":false,"error":"The \"Idempotency-Key\" header must be one text of 1 to 255 )"
         R"(visible ASCII characters [error-invalid-idempotency-key]",)"
         R"("errorType":"error-invalid-idempotency-key"})"};
inline constexpr FixedAnswer kIdempotencyKeyReused{
    400, R"({"success":false,"error":"The \"Idempotency-Key\" was used for another request )"
         R"([error-idempotency-key-reused]","errorType":"error-idempotency-key-reused"})"};

// settings/:_id.
inline constexpr FixedAnswer kSettingNotFound{
    400, R"({"success":false,"error":"The setting does not exist [error-invalid-setting]",)"
         R"("errorType":"error-invalid-setting"})"};

// Section 3 and 9.18.
inline constexpr FixedAnswer kGeneratingTokenNotAllowed{
    400,
    R"({"success":false,"error":"Not Authorized [not-authorized]","errorType":"not-authorized",)"
    R"("details":{"method":"personalAccessTokens:generateToken"}})"};
inline constexpr FixedAnswer kRegeneratingTokenNotAllowed{
    400,
    R"({"success":false,"error":"Not Authorized [not-authorized]","errorType":"not-authorized",)"
    R"("details":{"method":"personalAccessTokens:regenerateToken"}})"};
inline constexpr FixedAnswer kRemovingTokenNotAllowed{
    400,
    R"({"success":false,"error":"Not Authorized [not-authorized]","errorType":"not-authorized",)"
    R"("details":{"method":"personalAccessTokens:removeToken"}})"};

// 4.4.
inline constexpr FixedAnswer kInvalidBodyParams{
    400,
    R"({"success":false,"error":"Invalid body params","errorType":"error-invalid-body-params"})"};
inline constexpr FixedAnswer kEditingPermissionsNotAllowed{
    400, R"({"success":false,"error":"Editing permissions is not allowed",)"
         R"("errorType":"error-edit-permissions-not-allowed"})"};
inline constexpr FixedAnswer kRoleIdMissing{
    400, R"({"success":false,"error":"The required \"roleId\" param was not provided )"
         R"([error-invalid-role-properties]","errorType":"error-invalid-role-properties"})"};
inline constexpr FixedAnswer kRoleNotFound{
    400, R"({"success":false,"error":"This role does not exist [error-invalid-roleId]",)"
         R"("errorType":"error-invalid-roleId"})"};
inline constexpr FixedAnswer kUserAlreadyInRole{
    400, R"({"success":false,"error":"User already in role [error-user-already-in-role]",)"
         R"("errorType":"error-user-already-in-role"})"};
inline constexpr FixedAnswer kUserNotInRole{
    400, R"({"success":false,"error":"User is not in this role [error-user-not-in-role]",)"
         R"("errorType":"error-user-not-in-role"})"};

// RFC 6749, section 5.2, for routes of Access::oauth. The challenges that RFC 6750 wants beside
// them are call.cpp's.
inline constexpr FixedAnswer kInvalidClient{
    401, R"({"error":"invalid_client",)"
         R"("error_description":"The caller must present a valid token of its own"})"};
inline constexpr FixedAnswer kInsufficientScope{
    403, R"({"error":"insufficient_scope",)"
         R"("error_description":"The caller must hold the permission for this"})"};
inline constexpr FixedAnswer kMalformedRequest{
    400, R"({"error":"invalid_request","error_description":"The body cannot be read"})"};
inline constexpr FixedAnswer kTemporarilyUnavailable{503, R"({"error":"temporarily_unavailable"})"};
inline constexpr FixedAnswer kServerError{500, R"({"error":"server_error"})"};

}  // namespace tokend::api
