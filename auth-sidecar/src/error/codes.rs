//! Error codes and messages, copied by name from upstream (`@better-auth/core/error/codes`),
//! in its order; a test compares them with the pinned package.

/// What an error answer says: a constant code for programs and a message for people.
#[derive(Debug, PartialEq, Eq)]
pub struct ErrorCode {
    /// The `code` member.
    pub code: &'static str,
    /// The `message` member.
    pub message: &'static str,
}

macro_rules! error_codes {
    ($(#[$meta:meta])* $list:ident { $($name:ident: $message:literal,)* }) => {
        $(
            #[doc = concat!("\"", $message, "\"")]
            pub const $name: ErrorCode = ErrorCode { code: stringify!($name), message: $message };
        )*
        $(#[$meta])*
        pub const $list: &[&ErrorCode] = &[$(&$name),*];
    };
}

error_codes! {
    /// Upstream's `BASE_ERROR_CODES`, whole.
    BASE_ERROR_CODES {
        USER_NOT_FOUND: "User not found",
        FAILED_TO_CREATE_USER: "Failed to create user",
        FAILED_TO_CREATE_SESSION: "Failed to create session",
        FAILED_TO_UPDATE_USER: "Failed to update user",
        FAILED_TO_GET_SESSION: "Failed to get session",
        INVALID_PASSWORD: "Invalid password",
        INVALID_EMAIL: "Invalid email",
        INVALID_EMAIL_OR_PASSWORD: "Invalid email or password",
        INVALID_USER: "Invalid user",
        SOCIAL_ACCOUNT_ALREADY_LINKED: "Social account already linked",
        PROVIDER_NOT_FOUND: "Provider not found",
        INVALID_TOKEN: "Invalid token",
        TOKEN_EXPIRED: "Token expired",
        ID_TOKEN_NOT_SUPPORTED: "id_token not supported",
        FAILED_TO_GET_USER_INFO: "Failed to get user info",
        USER_EMAIL_NOT_FOUND: "User email not found",
        EMAIL_NOT_VERIFIED: "Email not verified",
        PASSWORD_TOO_SHORT: "Password too short",
        PASSWORD_TOO_LONG: "Password too long",
        USER_ALREADY_EXISTS: "User already exists.",
        USER_ALREADY_EXISTS_USE_ANOTHER_EMAIL: "User already exists. Use another email.",
        EMAIL_CAN_NOT_BE_UPDATED: "Email can not be updated",
        CHANGE_EMAIL_DISABLED: "Change email is disabled",
        CREDENTIAL_ACCOUNT_NOT_FOUND: "Credential account not found",
        SESSION_EXPIRED: "Session expired. Re-authenticate to perform this action.",
        FAILED_TO_UNLINK_LAST_ACCOUNT: "You can't unlink your last account",
        ACCOUNT_NOT_FOUND: "Account not found",
        USER_ALREADY_HAS_PASSWORD: "User already has a password. Provide that to delete the account.",
        CROSS_SITE_NAVIGATION_LOGIN_BLOCKED: "Cross-site navigation login blocked. This request appears to be a CSRF attack.",
        VERIFICATION_EMAIL_NOT_ENABLED: "Verification email isn't enabled",
        EMAIL_ALREADY_VERIFIED: "Email is already verified",
        EMAIL_MISMATCH: "Email mismatch",
        SESSION_NOT_FRESH: "Session is not fresh",
        LINKED_ACCOUNT_ALREADY_EXISTS: "Linked account already exists",
        INVALID_ORIGIN: "Invalid origin",
        INVALID_CALLBACK_URL: "Invalid callbackURL",
        INVALID_REDIRECT_URL: "Invalid redirectURL",
        INVALID_ERROR_CALLBACK_URL: "Invalid errorCallbackURL",
        INVALID_NEW_USER_CALLBACK_URL: "Invalid newUserCallbackURL",
        MISSING_OR_NULL_ORIGIN: "Missing or null Origin",
        CALLBACK_URL_REQUIRED: "callbackURL is required",
        FAILED_TO_CREATE_VERIFICATION: "Unable to create verification",
        FIELD_NOT_ALLOWED: "Field not allowed to be set",
        ASYNC_VALIDATION_NOT_SUPPORTED: "Async validation is not supported",
        VALIDATION_ERROR: "Validation Error",
        MISSING_FIELD: "Field is required",
        METHOD_NOT_ALLOWED_DEFER_SESSION_REQUIRED: "POST method requires deferSessionRefresh to be enabled in session config",
        BODY_MUST_BE_AN_OBJECT: "Body must be an object",
        PASSWORD_ALREADY_SET: "User already has a password set",
    }
}

error_codes! {
    /// Codes upstream writes at the call site instead of in its list.
    CALL_SITE_ERROR_CODES {
        EMAIL_PASSWORD_DISABLED: "Email and password is not enabled",
        EMAIL_PASSWORD_SIGN_UP_DISABLED: "Email and password sign up is not enabled",
        UNAUTHORIZED: "Unauthorized",
        NOT_FOUND: "Not found",
        PROVIDER_NOT_CONFIGURED: "Account is not associated with a configured social provider.",
        PROVIDER_NOT_SUPPORTED: "Provider is not supported.",
        RESET_PASSWORD_DISABLED: "Reset password isn't enabled",
    }
}

error_codes! {
    /// Upstream's `EMAIL_OTP_ERROR_CODES` (plugin email-otp), whole.
    EMAIL_OTP_ERROR_CODES {
        OTP_EXPIRED: "OTP expired",
        INVALID_OTP: "Invalid OTP",
        TOO_MANY_ATTEMPTS: "Too many attempts",
    }
}

error_codes! {
    /// Of upstream's `ADMIN_ERROR_CODES` (plugin admin) those in use.
    ADMIN_ERROR_CODES {
        BANNED_USER: "You have been banned from this application. Please contact support if you believe this is an error.",
    }
}

error_codes! {
    /// Codes of this service that upstream does not have.
    OWN_ERROR_CODES {
        BAD_REQUEST: "Bad request",
        INTERNAL_SERVER_ERROR: "Internal Server Error",
        TOO_MANY_REQUESTS: "Too many requests. Please try again later.",
        SERVICE_UNAVAILABLE: "The service is temporarily unavailable. Please try again.",
        PAYLOAD_TOO_LARGE: "Request body is too large",
        REQUEST_TIMEOUT: "Request body took too long to arrive",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_error_codes_equal_those_of_the_pinned_package() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../integration-tests/client/codes.json");
        let text = std::fs::read_to_string(path).unwrap();
        let upstream: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&text).unwrap();
        // The package holds either the message alone or `{code, message}`.
        let upstream: Vec<(String, String)> = upstream
            .into_iter()
            .map(|(code, v)| (code, v["message"].as_str().or(v.as_str()).unwrap().to_owned()))
            .collect();
        let ours: Vec<(String, String)> =
            BASE_ERROR_CODES.iter().map(|c| (c.code.to_owned(), c.message.to_owned())).collect();
        assert_eq!(ours, upstream);
    }
}
