//! `auth-sidecar users ban` and `unban`.

use chrono::{DateTime, NaiveDateTime, Utc};
use schema::users::{self, Ban};
use schema::{sessions, verifications};

use super::change::Who;
use super::{find, nobody, ready_database};
use crate::cli::{CliError, time};
use crate::clock::{Clock, from_ms};
use crate::config::Config;

/// Who is banned, why and until when.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    user: Who,
    /// For operators; the user never sees it
    #[arg(long)]
    reason: Option<String>,
    /// When the ban ends, as 2030-01-31T12:00:00Z; without it, when it is lifted
    #[arg(long, value_parser = instant)]
    until: Option<NaiveDateTime>,
}

fn instant(text: &str) -> Result<NaiveDateTime, String> {
    let parsed = DateTime::parse_from_rfc3339(text).map_err(|error| error.to_string())?;
    let instant = from_ms(parsed.with_timezone(&Utc).timestamp_millis());
    if instant > Clock::System.now() { Ok(instant) } else { Err("it is over already".to_owned()) }
}

/// Keeps the user out: ends every session and mailed link, and lets nobody sign in as them.
pub async fn ban(config: &Config, args: Args) -> Result<(), CliError> {
    let (who, wanted) = (args.user.who.clone(), Ban { reason: args.reason, until: args.until });
    let db = ready_database(&config.database).await?;
    let done = db.write_or(move |conn| {
        let Some(user) = find(conn, &who)? else { return Ok(Err(nobody(&who))) };
        users::set_banned(conn, &user.id, Some(&wanted))?;
        let kept = users::find_ban(conn, &user.id)?.unwrap_or_default();
        if (&kept.reason, kept.until.is_some()) != (&wanted.reason, wanted.until.is_some()) {
            let text = "this table of users says only who is active: leave out --reason and --until";
            return Ok(Err(CliError::Failed(text.to_owned())));
        }
        verifications::delete_verifications_with_value(conn, &user.id)?;
        let ended = sessions::delete_user_sessions(conn, &user.id)?;
        Ok(Ok((user.email, wanted.until, ended)))
    });
    let (email, until, ended) = done.await??;
    let until = until.map_or_else(String::new, |until| format!(" until {} (UTC)", time(until)));
    println!("{email} is banned{until}; sessions ended: {ended}");
    Ok(())
}

/// Lifts the ban.
pub async fn unban(config: &Config, Who { who }: Who) -> Result<(), CliError> {
    let wanted = who.clone();
    let db = ready_database(&config.database).await?;
    let done = db.write(move |conn| {
        let Some(user) = find(conn, &wanted)? else { return Ok(None) };
        let was_banned = users::find_ban(conn, &user.id)?.is_some();
        users::set_banned(conn, &user.id, None)?;
        Ok(Some((user.email, was_banned)))
    });
    match done.await? {
        Some((email, true)) => println!("{email} is not banned any more"),
        Some((email, false)) => println!("{email} was not banned"),
        None => return Err(nobody(&who)),
    }
    Ok(())
}
