//! Tokens of mailed verification links (upstream `api/routes/email-verification`,
//! `createEmailVerificationToken` and the start of `verifyEmail`).

use serde_json::{Map, Value};

use crate::context::Context;
use crate::cookies::jwt::{sign_jwt, verify_signature};
use crate::cookies::sign::encode_uri_component;
use crate::email_form::is_email;
use crate::error::{ApiError, ErrorCode, codes};
use crate::mail::{Mail, MailKind};

/// The step of a change of address that the old address approves.
pub const CHANGE_CONFIRMATION: &str = "change-email-confirmation";
/// The step of a change of address that the new address proves.
pub const CHANGE_VERIFICATION: &str = "change-email-verification";

/// What a verification token says.
pub struct EmailToken {
    /// The address, lower case.
    pub email: String,
    /// The address to change to.
    pub update_to: Option<String>,
    /// Which step of a change it belongs to.
    pub request_type: Option<String>,
    /// Whose address it is.
    pub user_id: Option<String>,
    /// Whether the address was proven when a change of it was asked for; `None` in tokens of upstream,
    /// which has no such claim.
    pub was_verified: Option<bool>,
}

impl EmailToken {
    /// A token that proves `email` for a user.
    #[must_use]
    pub fn proof(email: &str, user_id: &str) -> Self {
        Self {
            email: email.to_lowercase(),
            update_to: None,
            request_type: None,
            user_id: Some(user_id.to_owned()),
            was_verified: None,
        }
    }

    /// Signs it, in upstream's order of claims.
    ///
    /// # Errors
    /// 500 when signing fails.
    pub fn sign(&self, cx: &Context) -> Result<String, ApiError> {
        let mut payload = Map::new();
        let members = [
            ("email", Some(&self.email)),
            ("updateTo", self.update_to.as_ref()),
            ("requestType", self.request_type.as_ref()),
            ("userId", self.user_id.as_ref()),
        ];
        for (key, value) in members {
            if let Some(value) = value {
                payload.insert(key.to_owned(), value.clone().into());
            }
        }
        if let Some(verified) = self.was_verified {
            payload.insert("emailVerified".to_owned(), verified.into());
        }
        sign_jwt(
            &payload,
            cx.app.config.secrets.current(),
            cx.app.config.email_verification.expires_in,
            cx.app.clock.now_ms(),
        )
        .map_err(ApiError::internal)
    }

    /// Reads a token: `Err` holds the code of the contract for an expired or forged one.
    ///
    /// # Errors
    /// The outer error is a fault: a validly signed token of another shape.
    pub fn verify(cx: &Context, token: &str) -> Result<Result<Self, &'static ErrorCode>, ApiError> {
        let claims = cx.app.config.secrets.all().find_map(|secret| verify_signature(token, secret));
        let Some(claims) = claims else {
            return Ok(Err(&codes::INVALID_TOKEN));
        };
        #[expect(clippy::as_conversions, reason = "seconds since the epoch are exact in f64")]
        let now = cx.app.clock.now_ms().div_euclid(1000) as f64;
        match claims.get("exp").and_then(Value::as_f64) {
            Some(exp) if exp > now => {}
            Some(_) => return Ok(Err(&codes::TOKEN_EXPIRED)),
            // upstream takes a token without an end for one that never ends; none is ever made.
            None => return Ok(Err(&codes::INVALID_TOKEN)),
        }
        let early = claims.get("nbf").is_some_and(|nbf| nbf.as_f64().is_none_or(|nbf| nbf > now));
        let texts = ["updateTo", "requestType", "userId"];
        if early || texts.iter().any(|key| claims.get(*key).is_some_and(|value| !value.is_string())) {
            return Ok(Err(&codes::INVALID_TOKEN));
        }
        let text = |key: &str| claims.get(key).and_then(Value::as_str).map(str::to_owned);
        let email = text("email").filter(|email| is_email(email));
        let email = email.ok_or_else(|| ApiError::internal("a signed token without an address"))?;
        Ok(Ok(Self {
            email,
            update_to: text("updateTo"),
            request_type: text("requestType"),
            user_id: text("userId"),
            was_verified: claims.get("emailVerified").and_then(Value::as_bool),
        }))
    }

    /// The mail with the link of this token.
    ///
    /// # Errors
    /// 500 when signing fails.
    pub fn compose(
        &self,
        cx: &Context,
        kind: MailKind,
        to: &str,
        callback_url: Option<&str>,
    ) -> Result<Mail, ApiError> {
        let token = self.sign(cx)?;
        let callback = encode_uri_component(callback_url.filter(|url| !url.is_empty()).unwrap_or("/"));
        let url = format!("{}/verify-email?token={token}&callbackURL={callback}", cx.app.config.auth_url());
        Ok(Mail::link(kind, to, url, token, cx.app.config.email_verification.expires_in))
    }

    /// Mails the link of this token, which proves `to`.
    ///
    /// # Errors
    /// 500 when signing fails; 503.
    pub async fn mail(&self, cx: &Context, to: &str, callback_url: Option<&str>) -> Result<(), ApiError> {
        let mail = self.compose(cx, MailKind::VerifyEmail, to, callback_url)?;
        Ok(cx.app.mailer.enqueue(&cx.app.db, &mail, cx.app.clock.now()).await?)
    }
}
