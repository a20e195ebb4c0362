//! Passwords: their limits, and whether one is right (upstream `utils/password`).

use actix_web::http::StatusCode;
use chrono::NaiveDateTime;
use diesel::QueryResult;
use schema::{Account, AnyConnection, MailRow, User, accounts, mails, sessions, verifications};

use crate::context::Context;
use crate::error::{ApiError, codes};
use crate::ids::generate_id;
use crate::mail::{Mail, MailKind};
use crate::password::Verdict;

/// The provider id of an account that signs in with a password.
pub const CREDENTIAL: &str = "credential";

/// A new account that signs `user_id` in with a password; the caller inserts it.
#[must_use]
pub fn new_account(user_id: &str, hash: String, now: NaiveDateTime) -> Account {
    Account {
        id: generate_id(),
        account_id: user_id.to_owned(),
        provider_id: CREDENTIAL.to_owned(),
        user_id: user_id.to_owned(),
        access_token: None,
        refresh_token: None,
        id_token: None,
        access_token_expires_at: None,
        refresh_token_expires_at: None,
        scope: None,
        password: Some(hash),
        created_at: now,
        updated_at: now,
    }
}

/// What a new password set by a mailed proof brings with it, whatever the proof was
/// (upstream `utils/password`, `resetCredentialPassword`).
pub struct PasswordReset {
    hash: String,
    revoke_sessions: bool,
    notice: Option<MailRow>,
    now: NaiveDateTime,
}

impl PasswordReset {
    /// Writes it in the transaction that spends the proof: the hash, into an account that is made
    /// when there is none; the end of the user's other links (upstream leaves them good) and, where
    /// that is set, sessions; the notice.
    ///
    /// # Errors
    /// When the database fails.
    pub fn write(self, conn: &mut AnyConnection, user_id: &str) -> QueryResult<()> {
        match accounts::find_credential_account(conn, user_id)? {
            Some(account) => accounts::update_password(conn, &account.id, &self.hash, self.now).map(drop)?,
            None => accounts::insert_account(conn, &new_account(user_id, self.hash, self.now))?,
        }
        verifications::delete_reset_tokens(conn, user_id)?;
        if self.revoke_sessions {
            sessions::delete_user_sessions(conn, user_id)?;
        }
        self.notice.iter().try_for_each(|notice| mails::insert_mail(conn, notice))
    }
}

impl Context {
    /// A new password for `user`, to be written with the proof that allows it; wake the mailer then.
    #[must_use]
    pub fn password_reset(&self, user: &User, hash: String) -> PasswordReset {
        let now = self.app.clock.now();
        let notice = Mail { name: Some(user.name.clone()), ..Mail::new(MailKind::PasswordChanged, &user.email) };
        PasswordReset {
            hash,
            revoke_sessions: self.app.config.email_password.revoke_sessions_on_reset,
            notice: self.app.mailer.row(&notice, now),
            now,
        }
    }

    /// 400 `PASSWORD_TOO_SHORT` below the configured minimum, in UTF-16 units.
    ///
    /// # Errors
    /// When it is too short.
    pub fn check_password_not_too_short(&self, password: &str) -> Result<(), ApiError> {
        if password.encode_utf16().count() < self.app.config.email_password.min_password_length {
            return Err(ApiError::new(StatusCode::BAD_REQUEST, &codes::PASSWORD_TOO_SHORT));
        }
        Ok(())
    }

    /// 400 `PASSWORD_TOO_LONG` above the configured maximum, in UTF-16 units; before any hashing.
    ///
    /// # Errors
    /// When it is too long.
    pub fn check_password_not_too_long(&self, password: &str) -> Result<(), ApiError> {
        if password.encode_utf16().count() > self.app.config.email_password.max_password_length {
            return Err(ApiError::new(StatusCode::BAD_REQUEST, &codes::PASSWORD_TOO_LONG));
        }
        Ok(())
    }

    /// The account a user signs in to with a password; `None` when there is none or it has no
    /// password.
    ///
    /// # Errors
    /// 503 when the database cannot tell.
    pub async fn find_password_account(&self, user_id: &str) -> Result<Option<(Account, String)>, ApiError> {
        let user_id = user_id.to_owned();
        let account = self.app.db.read(move |conn| accounts::find_credential_account(conn, &user_id)).await?;
        Ok(account.and_then(|account| account.password.clone().map(|password| (account, password))))
    }

    /// Whether `password` is the one behind `stored`. Costs one hash on every path.
    ///
    /// # Errors
    /// 503 when the hashing threads are busy.
    pub async fn password_is_right(&self, password: String, stored: Option<String>) -> Result<bool, ApiError> {
        Ok(matches!(self.app.hasher.verify(password, stored).await?, Verdict::Right { .. }))
    }
}
