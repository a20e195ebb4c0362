//! What a handler may fail with, and how it looks on the wire (contract: error body forms).

use std::borrow::Cow;
use std::fmt;

use actix_web::http::StatusCode;
use schema::DbError;
use serde::Serialize;

use crate::fields::FieldError;
use crate::password::HasherError;
use crate::rate_limit::RetryAfter;

pub mod codes;

pub use codes::ErrorCode;

/// An error answer.
#[derive(Debug)]
pub enum ApiError {
    /// The request is refused; everything in it is safe to show.
    Refused {
        /// The HTTP status.
        status: StatusCode,
        /// What the body says.
        body: ErrorBody,
    },
    /// Too many attempts: 429 with `X-Retry-After`.
    TooManyRequests(RetryAfter),
    /// The database or the hashing threads cannot serve the request now: 503 with `Retry-After`.
    /// Never mistaken for "not signed in".
    Unavailable(Cause),
    /// A fault of ours: 500 with an empty body, as upstream answers an unexpected exception.
    Internal(Cause),
}

/// The reason of a fault; for the log only.
#[derive(Debug)]
pub struct Cause(String);

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The forms an error body takes upstream.
#[derive(Debug)]
pub enum ErrorBody {
    /// `{"message":…,"code":…}`, in this order.
    Coded {
        /// For programs.
        code: &'static str,
        /// For people.
        message: Cow<'static, str>,
    },
    /// `{"message":…}`.
    Message(Cow<'static, str>),
    /// No body, with `content-type: application/json`.
    Empty,
}

impl ApiError {
    /// A refusal with a code of the list and its message.
    #[must_use]
    pub fn new(status: StatusCode, code: &'static ErrorCode) -> Self {
        Self::with_message(status, code, code.message)
    }

    /// A refusal with a code of the list and a message of its own.
    pub fn with_message(status: StatusCode, code: &'static ErrorCode, message: impl Into<Cow<'static, str>>) -> Self {
        Self::Refused { status, body: ErrorBody::Coded { code: code.code, message: message.into() } }
    }

    /// A refusal that upstream gives no code.
    #[must_use]
    pub fn message_only(status: StatusCode, message: impl Into<Cow<'static, str>>) -> Self {
        Self::Refused { status, body: ErrorBody::Message(message.into()) }
    }

    /// A refusal without a body.
    #[must_use]
    pub fn empty(status: StatusCode) -> Self {
        Self::Refused { status, body: ErrorBody::Empty }
    }

    /// A bad body or query: 400 `VALIDATION_ERROR`.
    pub fn validation(message: impl Into<Cow<'static, str>>) -> Self {
        Self::with_message(StatusCode::BAD_REQUEST, &codes::VALIDATION_ERROR, message)
    }

    /// No session: 401 `UNAUTHORIZED`.
    #[must_use]
    pub fn unauthorized() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, &codes::UNAUTHORIZED)
    }

    /// A fault of ours; `cause` goes to the log and must hold no secret.
    pub fn internal(cause: impl fmt::Display) -> Self {
        Self::Internal(Cause(cause.to_string()))
    }

    /// Something cannot serve the request now; `cause` goes to the log and must hold no secret.
    pub fn unavailable(cause: impl fmt::Display) -> Self {
        Self::Unavailable(Cause(cause.to_string()))
    }

    /// Why it is a fault; `None` for a refusal. For the log only.
    #[must_use]
    pub fn cause(&self) -> Option<&Cause> {
        match self {
            Self::Unavailable(cause) | Self::Internal(cause) => Some(cause),
            Self::Refused { .. } | Self::TooManyRequests(_) => None,
        }
    }

    /// The HTTP status of the answer.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Refused { status, .. } => *status,
            Self::TooManyRequests(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl ErrorBody {
    /// The JSON text, or `None` for an empty body.
    #[must_use]
    pub fn to_json(&self) -> Option<String> {
        #[derive(Serialize)]
        struct Wire<'a> {
            message: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            code: Option<&'a str>,
        }
        let wire = match self {
            Self::Coded { code, message } => Wire { message, code: Some(code) },
            Self::Message(message) => Wire { message, code: None },
            Self::Empty => return None,
        };
        serde_json::to_string(&wire).ok()
    }
}

/// A constraint that a handler did not expect is a fault of ours; everything else a database
/// reports means that it cannot serve us now.
impl From<DbError> for ApiError {
    fn from(error: DbError) -> Self {
        match error {
            DbError::Unavailable(_) => Self::Unavailable(Cause(error.to_string())),
            _ => Self::internal(error),
        }
    }
}

/// A declared field that was given wrongly: the texts of upstream's `parseInputData`.
impl From<FieldError> for ApiError {
    fn from(error: FieldError) -> Self {
        let code = match &error {
            FieldError::NotAllowed { .. } => &codes::FIELD_NOT_ALLOWED,
            FieldError::Missing { .. } => &codes::MISSING_FIELD,
            FieldError::Invalid { .. } => &codes::VALIDATION_ERROR,
        };
        Self::with_message(StatusCode::BAD_REQUEST, code, error.to_string())
    }
}

impl From<HasherError> for ApiError {
    fn from(error: HasherError) -> Self {
        match error {
            HasherError::Busy => Self::Unavailable(Cause("the queue of the hashing threads is full".to_owned())),
            HasherError::Nul => Self::validation("[body.password] Invalid input: NUL characters are not allowed"),
            HasherError::Failed => Self::internal("hashing a password failed"),
        }
    }
}
