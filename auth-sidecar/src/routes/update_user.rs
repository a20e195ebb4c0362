//! `POST /update-user` (upstream `api/routes/update-user`, `updateUser`).

use actix_web::http::StatusCode;
use schema::{UserChanges, users};
use serde_json::{Map, Value};

use super::Answer;
use crate::context::Context;
use crate::error::{ApiError, codes};
use crate::extract::Check;
use crate::extract::check::is_truthy;
use crate::fields::{Action, parse_input};
use crate::flows::read_session::CurrentSession;
use crate::wire::{
    self,
    declared::{merge_json, user_changes},
};

/// Changes the user's name, picture and declared fields.
///
/// # Errors
/// Those of the contract's table, in its order; 401; 503.
pub async fn update_user(cx: &mut Context) -> Result<Answer, ApiError> {
    let check = Check::record(cx.body.as_ref());
    let members = check.members().cloned().unwrap_or_default();
    check.finish()?;
    let mut current = cx.require_session().await?;
    apply(cx, &mut current, &members).await?;
    Ok(Answer::status_true())
}

/// The change itself; brings `current` up to date and sets the session cookies again.
///
/// # Errors
/// Those of the contract's table; 401 when the user is gone; 503.
pub async fn apply(
    cx: &mut Context,
    current: &mut CurrentSession,
    members: &Map<String, Value>,
) -> Result<(), ApiError> {
    if members.get("email").is_some_and(is_truthy) {
        return Err(ApiError::new(StatusCode::BAD_REQUEST, &codes::EMAIL_CAN_NOT_BE_UPDATED));
    }
    // upstream stores whatever type comes; a name that is null breaks it with a 500.
    let mut check = Check::members_of(members);
    let name = check.maybe_string("name");
    let image = match members.get("image") {
        Some(Value::Null) => Some(None),
        _ => check.maybe_string("image").map(Some),
    };
    check.finish()?;
    let declared = parse_input(&cx.app.fields().user, members, Action::Update)?;
    cx.warn_of_lookalikes(members);
    if name.is_none() && image.is_none() && declared.is_empty() {
        return Err(ApiError::message_only(StatusCode::BAD_REQUEST, "No fields to update"));
    }
    let (changes, part) = user_changes(cx.app.fields(), &declared);
    let changes = UserChanges { name, image, updated_at: Some(cx.app.clock.now()), ..changes };
    let user_id = current.user_id.clone();
    let updated = cx
        .app
        .db
        .write(move |conn| {
            // The first update takes the row's lock, so that two changes at once both last.
            let Some(user) = users::update_user(conn, &user_id, &changes)? else { return Ok(None) };
            if part.is_empty() {
                return Ok(Some(user));
            }
            let merged = merge_json(&user.additional_fields, part);
            let changes = UserChanges { additional_fields: Some(merged), ..UserChanges::default() };
            users::update_user(conn, &user_id, &changes)
        })
        .await?;
    let Some(user) = updated else {
        cx.delete_session_cookies();
        return Err(ApiError::unauthorized());
    };
    current.user = wire::user(&user, cx.app.fields());
    cx.set_session_cookie(current, None);
    Ok(())
}
