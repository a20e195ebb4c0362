//! Accounts, and the social endpoints as they answer while no provider is configured
//! (upstream `api/routes/account`, `api/routes/sign-in` `signInSocial`).

use actix_web::http::StatusCode;
use schema::{accounts, users};
use serde_json::Value;

use super::Answer;
use crate::context::Context;
use crate::error::{ApiError, codes};
use crate::extract::Check;
use crate::extract::check::type_word;
use crate::wire;

/// The accounts of the user.
///
/// # Errors
/// 401, 503.
pub async fn list_accounts(cx: &mut Context) -> Result<Answer, ApiError> {
    let current = cx.require_session().await?;
    let rows = cx.app.db.read(move |conn| accounts::list_accounts(conn, &current.user_id)).await?;
    Ok(Answer::json(rows.iter().map(wire::account).collect::<Vec<_>>()))
}

/// Removes one of the user's accounts, by its row id.
///
/// # Errors
/// 400 for a bad body, the last account or one the user does not have; 401; 403
/// `SESSION_NOT_FRESH`; 503.
pub async fn unlink_account(cx: &mut Context) -> Result<Answer, ApiError> {
    let mut check = Check::body(cx.body.as_ref());
    let account_id = check.string("accountId");
    check.finish()?;
    let current = cx.require_fresh_session().await?;
    let keep_last = !cx.app.config.account.allow_unlinking_all;
    let outcome = cx
        .app
        .db
        .write(move |conn| {
            // Two at once must not each take the other's "not the last one".
            users::lock_user(conn, &current.user_id)?;
            let rows = accounts::list_accounts(conn, &current.user_id)?;
            if rows.len() == 1 && keep_last {
                return Ok(Err(&codes::FAILED_TO_UNLINK_LAST_ACCOUNT));
            }
            match accounts::delete_account(conn, &account_id, &current.user_id)? {
                0 => Ok(Err(&codes::ACCOUNT_NOT_FOUND)),
                _ => Ok(Ok(())),
            }
        })
        .await?;
    match outcome {
        Ok(()) => Ok(Answer::status_true()),
        Err(code) => Err(ApiError::new(StatusCode::BAD_REQUEST, code)),
    }
}

/// Sign-in through a provider: none is configured.
///
/// # Errors
/// 400 for a bad body, else 404 `PROVIDER_NOT_FOUND`.
pub async fn sign_in_social(cx: &mut Context) -> Result<Answer, ApiError> {
    check_provider(cx)?;
    Err(ApiError::new(StatusCode::NOT_FOUND, &codes::PROVIDER_NOT_FOUND))
}

/// Linking an account of a provider: none is configured.
///
/// # Errors
/// 400 for a bad body, 401, else 404 `PROVIDER_NOT_FOUND`.
pub async fn link_social(cx: &mut Context) -> Result<Answer, ApiError> {
    check_provider(cx)?;
    cx.require_authoritative_session().await?;
    Err(ApiError::new(StatusCode::NOT_FOUND, &codes::PROVIDER_NOT_FOUND))
}

/// Members of an authorization request that `additionalParams` may not replace.
const RESERVED_PARAMS: [&str; 8] = [
    "state",
    "client_id",
    "redirect_uri",
    "response_type",
    "code_challenge",
    "code_challenge_method",
    "nonce",
    "scope",
];

/// upstream `socialSignInBodySchema`; the schema of `link-social` has its members in another order.
fn check_provider(cx: &Context) -> Result<(), ApiError> {
    let mut check = Check::body(cx.body.as_ref());
    for key in ["callbackURL", "newUserCallbackURL", "errorCallbackURL"] {
        check.maybe_string(key);
    }
    let members = check.members();
    let member = |key: &str| members.and_then(|members| members.get(key));
    if members.is_some() && !member("provider").is_some_and(Value::is_string) {
        check.issue("provider", "Invalid input");
    }
    check.maybe_bool("disableRedirect");
    if check.maybe_object("idToken")
        && !member("idToken").and_then(|token| token.get("token")).is_some_and(Value::is_string)
    {
        let given = member("idToken").and_then(|token| token.get("token"));
        check.issue("idToken.token", &format!("Invalid input: expected string, received {}", type_word(given)));
    }
    check.maybe_strings("scopes");
    check.maybe_bool("requestSignUp");
    check.maybe_string("loginHint");
    if check.maybe_record("additionalParams")
        && let Some(Value::Object(params)) = member("additionalParams")
        && params.keys().any(|key| RESERVED_PARAMS.contains(&key.as_str()))
    {
        let reserved = RESERVED_PARAMS.join(", ");
        check.issue(
            "additionalParams",
            &format!("additionalParams cannot include reserved OAuth parameters: {reserved}"),
        );
    }
    check.maybe_record("additionalData");
    check.finish()
}

/// A provider's access token: no account has one.
///
/// # Errors
/// 400 for a bad body, 401 without a body, else 400.
pub async fn get_access_token(cx: &mut Context) -> Result<Answer, ApiError> {
    refuse_provider_account(cx, "body").await
}

/// A provider's refresh token: no account has one.
///
/// # Errors
/// 400 for a bad body, 401 without a body, else 400.
pub async fn refresh_token(cx: &mut Context) -> Result<Answer, ApiError> {
    refuse_provider_account(cx, "body").await
}

/// What a provider says of an account: no account has one.
///
/// # Errors
/// 400 for a bad query, 401 without a body, else 400.
pub async fn account_info(cx: &mut Context) -> Result<Answer, ApiError> {
    refuse_provider_account(cx, "query").await
}

async fn refuse_provider_account(cx: &mut Context, place: &'static str) -> Result<Answer, ApiError> {
    let query = Value::Object(cx.query.clone());
    let input = if place == "body" { cx.body.as_ref() } else { Some(&query) };
    let account_id = check_selection(input, place)?;
    let Some(current) = cx.find_session(true).await? else {
        return Err(ApiError::empty(StatusCode::UNAUTHORIZED));
    };
    let rows = cx.app.db.read(move |conn| accounts::list_accounts(conn, &current.user_id)).await?;
    let Some(account) = rows.into_iter().find(|row| account_id.as_ref() == Some(&row.id)) else {
        return Err(ApiError::new(StatusCode::BAD_REQUEST, &codes::ACCOUNT_NOT_FOUND));
    };
    if place == "query" {
        return Err(ApiError::new(StatusCode::BAD_REQUEST, &codes::PROVIDER_NOT_CONFIGURED));
    }
    Err(ApiError::with_message(
        StatusCode::BAD_REQUEST,
        &codes::PROVIDER_NOT_SUPPORTED,
        format!("Provider {} is not supported.", account.provider_id),
    ))
}

/// Upstream's `accountSelectionSchema`: exactly `{accountId, userId?}` or
/// `{useAccountCookie: true, userId?}`; the id, if that was given.
fn check_selection(input: Option<&Value>, place: &str) -> Result<Option<String>, ApiError> {
    let invalid = || ApiError::validation(format!("[{place}] Invalid input"));
    let members = input.and_then(Value::as_object).ok_or_else(invalid)?;
    let user_id_ok = members.get("userId").is_none_or(Value::is_string);
    let account_id = members.get("accountId").and_then(Value::as_str);
    let by_cookie = members.get("useAccountCookie") == Some(&Value::Bool(true));
    let (chosen, other) = match (account_id, by_cookie) {
        (Some(_), _) => ("accountId", "useAccountCookie"),
        (None, true) => ("useAccountCookie", "accountId"),
        (None, false) => return Err(invalid()),
    };
    if !user_id_ok || (by_cookie && account_id.is_some()) || members.contains_key(other) {
        return Err(invalid());
    }
    let extra: Vec<String> =
        members.keys().filter(|key| *key != chosen && *key != "userId").map(|key| format!("\"{key}\"")).collect();
    match extra.as_slice() {
        [] => Ok(account_id.map(str::to_owned)),
        [one] => Err(ApiError::validation(format!("[{place}] Unrecognized key: {one}"))),
        many => Err(ApiError::validation(format!("[{place}] Unrecognized keys: {}", many.join(", ")))),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_account_is_selected_by_exactly_one_source() {
        assert_eq!(check_selection(Some(&json!({"accountId": "a"})), "body").unwrap(), Some("a".to_owned()));
        assert_eq!(check_selection(Some(&json!({"useAccountCookie": true})), "body").unwrap(), None);
        for (input, expected) in [
            (json!({}), "[body] Invalid input"),
            (json!({"accountId": 1}), "[body] Invalid input"),
            (json!({"accountId": "a", "extra": 1}), "[body] Unrecognized key: \\\"extra\\\""),
        ] {
            let Err(ApiError::Refused { body, .. }) = check_selection(Some(&input), "body") else { panic!() };
            assert_eq!(body.to_json().unwrap(), format!(r#"{{"message":"{expected}","code":"VALIDATION_ERROR"}}"#));
        }
    }
}
