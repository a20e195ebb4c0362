//! A code, and guesses at it (upstream `plugins/email-otp/otp-token` and `atomicVerifyOTP` in
//! `plugins/email-otp/routes`).

use actix_web::http::StatusCode;
use chrono::NaiveDateTime;
use diesel::QueryResult;
use schema::{AnyConnection, Verification, verifications};
use subtle::ConstantTimeEq as _;

use crate::clock::plus_seconds;
use crate::config::EmailOtpSettings;
use crate::error::{ApiError, codes};
use crate::ids::generate_id;

/// The verification of a fresh code: its value is `<code>:<wrong guesses>`, as upstream's.
#[must_use]
pub fn new_row(identifier: String, otp: &str, settings: &EmailOtpSettings, now: NaiveDateTime) -> Verification {
    Verification {
        id: generate_id(),
        identifier,
        value: format!("{otp}:0"),
        expires_at: plus_seconds(now, settings.expires_in),
        created_at: now,
        updated_at: now,
    }
}

/// A guess at a code.
#[derive(Clone)]
pub struct Guess {
    identifier: String,
    otp: String,
    allowed_attempts: u32,
}

impl Guess {
    /// A guess at the code of an identifier.
    #[must_use]
    pub fn new(settings: &EmailOtpSettings, identifier: String, otp: String) -> Self {
        Self { identifier, otp, allowed_attempts: settings.allowed_attempts }
    }

    /// Counts a wrong guess; a right one leaves the code as it is and gives its row. Call it in a
    /// transaction that is committed even when it refuses.
    ///
    /// # Errors
    /// The inner error is the refusal: 400 `OTP_EXPIRED` or `INVALID_OTP`, 403 `TOO_MANY_ATTEMPTS`.
    pub fn check(&self, conn: &mut AnyConnection, now: NaiveDateTime) -> QueryResult<Result<Verification, ApiError>> {
        // The lock lets guesses at one code in one after the other: none escapes the count.
        let Some(row) = verifications::lock_verification(conn, &self.identifier)? else {
            return Ok(Err(invalid()));
        };
        if row.expires_at < now {
            verifications::delete_verifications(conn, &self.identifier)?;
            return Ok(Err(ApiError::new(StatusCode::BAD_REQUEST, &codes::OTP_EXPIRED)));
        }
        let (otp, attempts) = row.value.rsplit_once(':').unwrap_or((&row.value, ""));
        let attempts = if attempts.is_empty() { 0 } else { attempts.parse().unwrap_or(u32::MAX) };
        if attempts >= self.allowed_attempts {
            verifications::consume_verification(conn, &row)?;
            return Ok(Err(ApiError::new(StatusCode::FORBIDDEN, &codes::TOO_MANY_ATTEMPTS)));
        }
        if !bool::from(otp.as_bytes().ct_eq(self.otp.as_bytes())) {
            verifications::update_value(conn, &row, &format!("{otp}:{}", attempts.saturating_add(1)), now)?;
            return Ok(Err(invalid()));
        }
        Ok(Ok(row))
    }

    /// As [`Guess::check`], but a right guess also uses the code up: of any number of callers one
    /// succeeds.
    ///
    /// # Errors
    /// As [`Guess::check`].
    pub fn spend(&self, conn: &mut AnyConnection, now: NaiveDateTime) -> QueryResult<Result<(), ApiError>> {
        Ok(match self.check(conn, now)? {
            Ok(row) if verifications::consume_verification(conn, &row)? => Ok(()),
            Ok(_) => Err(invalid()),
            Err(refusal) => Err(refusal),
        })
    }
}

/// 400 `INVALID_OTP`.
#[must_use]
pub fn invalid() -> ApiError {
    ApiError::new(StatusCode::BAD_REQUEST, &codes::INVALID_OTP)
}
