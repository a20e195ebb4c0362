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

impl Context {
    /// Takes one attempt at the password of `email` (lower case), known or not.
    ///
    /// # Errors
    /// 429 with `X-Retry-After` when there is none left; 503 when the database cannot tell whether the
    /// user is signed in from here.
    pub async fn take_sign_in_attempt(&self, email: &str) -> Result<(), ApiError> {
        let throttle = &self.app.throttle;
        let now_ms = self.app.clock.now_ms();
        let Err(after) = throttle.check(Some(email), BUCKET, now_ms) else { return Ok(()) };
        let Some(ip) = self.client_ip() else { return Err(ApiError::TooManyRequests(after)) };
        let (owner, from, now) = (email.to_owned(), ip.clone(), self.app.clock.now());
        let at_home = self.app.db.read(move |conn| sessions::is_signed_in_from(conn, &owner, &from, now)).await?;
        if at_home && throttle.check(Some(&format!("{email} {ip}")), BUCKET, now_ms).is_ok() {
            return Ok(());
        }
        tracing::warn!("too many attempts at one account's password");
        Err(ApiError::TooManyRequests(after))
    }
}
