//! `GET /ok`: the process answers. It asks nothing else, so it stays true while the database is
//! down.

use serde_json::json;

use super::Answer;
use crate::context::Context;
use crate::error::ApiError;

/// `{"ok":true}`.
///
/// # Errors
/// Never.
pub async fn ok(_cx: &mut Context) -> Result<Answer, ApiError> {
    Ok(Answer::json(json!({ "ok": true })))
}
