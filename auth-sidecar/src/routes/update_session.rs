//! `POST /update-session` (upstream `api/routes/update-session`).

use actix_web::http::StatusCode;
use schema::{SessionChanges, sessions};
use serde_json::{Value, json};

use super::Answer;
use crate::context::Context;
use crate::error::{ApiError, codes};
use crate::extract::Check;
use crate::fields::{Action, parse_input};
use crate::wire::{
    self,
    declared::{json_part, merge_json},
};

/// Changes declared fields of the session; core columns are ignored.
///
/// # Errors
/// 400 for a bad body, a bad field or nothing to change; 401; 503.
pub async fn update_session(cx: &mut Context) -> Result<Answer, ApiError> {
    let check = Check::record(cx.body.as_ref());
    let members = check.members().cloned().unwrap_or_default();
    check.finish()?;
    let mut current = cx.require_session().await?;
    let declared = parse_input(&cx.app.fields().session, &members, Action::Update)?;
    if declared.is_empty() {
        return Err(ApiError::message_only(StatusCode::BAD_REQUEST, "No fields to update"));
    }
    let now = cx.app.clock.now();
    let token = current.token.clone();
    let part = json_part(&cx.app.fields().session, &declared);
    let updated = cx
        .app
        .db
        .write(move |conn| {
            // The first update takes the row's lock, so that two changes at once both last.
            let touch = SessionChanges { updated_at: Some(now), ..SessionChanges::default() };
            let Some(session) = sessions::update_session(conn, &token, &touch)? else { return Ok(None) };
            let merged = merge_json(&session.additional_fields, part);
            let changes = SessionChanges { additional_fields: Some(merged), ..SessionChanges::default() };
            sessions::update_session(conn, &token, &changes)
        })
        .await?;
    let Some(session) = updated else {
        cx.delete_session_cookies();
        return Err(ApiError::new(StatusCode::UNAUTHORIZED, &codes::FAILED_TO_GET_SESSION));
    };
    current.session = wire::session(&session, cx.app.fields());
    cx.set_session_cookie(&current, None);
    Ok(Answer::json(json!({ "session": Value::Object(current.session) })))
}
