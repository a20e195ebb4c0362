//! Guessing one account's password from many addresses: slowed, without locking the owner out.
//!
//! Every address of a user has a bucket of attempts of its own, whatever IP address they come from;
//! the rate limiter's rules are about one IP address. An empty bucket refills after a quiet window. A
//! stranger can keep it empty, so whoever asks from where the user is signed in right now has
//! another one.

use schema::sessions;

use crate::context::Context;
use crate::error::ApiError;

/// The name of the buckets in the limiter; no path begins like it.
const BUCKET: &str = "sign-in";

/// An attempt at a password, to be given back when the password is right.
pub struct Attempt {
    bucket: String,
}

impl Context {
    /// Takes one attempt at the password of `email` (lower case), known or not.
    ///
    /// # Errors
    /// 429 with `X-Retry-After` when there is none left; 503 when the database cannot tell whether the
    /// user is signed in from here.
    pub async fn take_sign_in_attempt(&self, email: &str) -> Result<Attempt, ApiError> {
        let throttle = &self.app.throttle;
        let now_ms = self.app.clock.now_ms();
        let Err(after) = throttle.check(Some(email), BUCKET, now_ms) else {
            return Ok(Attempt { bucket: email.to_owned() });
        };
        if let Some(ip) = self.client_ip() {
            let bucket = format!("{email} {ip}");
            let (owner, now) = (email.to_owned(), self.app.clock.now());
            let at_home = self.app.db.read(move |conn| sessions::is_signed_in_from(conn, &owner, &ip, now)).await?;
            if at_home && throttle.check(Some(&bucket), BUCKET, now_ms).is_ok() {
                return Ok(Attempt { bucket });
            }
        }
        tracing::warn!("too many attempts at one account's password");
        Err(ApiError::TooManyRequests(after))
    }

    /// Fills the bucket of an attempt again: the password was right, so what came before it was no
    /// guessing, or is over. The other bucket stays as it is.
    pub fn give_sign_in_attempts_back(&self, attempt: &Attempt) {
        self.app.throttle.forget(&attempt.bucket, BUCKET);
    }
}
