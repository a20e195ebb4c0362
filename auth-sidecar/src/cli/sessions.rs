//! `auth-sidecar sessions`: who is signed in where. Tokens are never shown.

use std::fmt::Write as _;

use clap::{Args, Subcommand};
use schema::{Db, Session, sessions as table};
use serde_json::{Value, json};

use super::users::{find, nobody};
use super::{CliError, block_on, print, ready_database, shown, time};
use crate::clock::Clock;
use crate::config::Config;
use crate::wire;

/// Sessions that are ended by one transaction.
const BATCH: i64 = 1000;

/// What to do with sessions.
#[derive(Subcommand)]
pub enum Action {
    /// List a user's sessions, oldest first; never their tokens
    List {
        /// Address or id of the user
        #[arg(value_name = "EMAIL|ID")]
        who: String,
        /// As JSON, one object a line
        #[arg(long)]
        json: bool,
    },
    /// End sessions at once; a session cached in a cookie and a JWT that was given out last until they are over
    Revoke(Revoke),
}

/// Which sessions are to end.
#[derive(Args)]
pub struct Revoke {
    #[command(flatten)]
    which: Which,
    /// It is meant, for --all
    #[arg(long)]
    yes: bool,
}

/// One of these.
#[derive(Args)]
#[group(required = true, multiple = false)]
pub struct Which {
    /// Id of the session, as `sessions list` prints it
    session_id: Option<String>,
    /// All of a user
    #[arg(long, value_name = "EMAIL|ID")]
    user: Option<String>,
    /// Those of everybody; needs --yes
    #[arg(long)]
    all: bool,
}

/// Runs the action.
pub fn sessions(config: &Config, action: Action) -> Result<(), CliError> {
    block_on(async {
        if let Action::Revoke(Revoke { which: Which { all: true, .. }, yes: false }) = action {
            return Err(CliError::Failed("nothing was ended: add --yes to sign everybody out".to_owned()));
        }
        let db = ready_database(&config.database).await?;
        match action {
            Action::List { who, json } => list(&db, who, json).await,
            Action::Revoke(Revoke { which: Which { session_id: Some(id), .. }, .. }) => {
                let wanted = id.clone();
                match db.write(move |conn| table::delete_session_by_id(conn, &wanted)).await? {
                    0 => Err(CliError::Failed(format!("there is no session {id}"))),
                    count => told(count),
                }
            }
            Action::Revoke(Revoke { which: Which { user: Some(who), .. }, .. }) => {
                let wanted = who.clone();
                let ended = db.write(move |conn| {
                    let Some(user) = find(conn, &wanted)? else { return Ok(None) };
                    table::delete_user_sessions(conn, &user.id).map(Some)
                });
                ended.await?.map_or_else(|| Err(nobody(&who)), told)
            }
            Action::Revoke(_) => revoke_all(&db).await,
        }
    })
}

async fn list(db: &Db, who: String, json: bool) -> Result<(), CliError> {
    let (wanted, now) = (who.clone(), Clock::System.now());
    let found = db.read(move |conn| {
        let Some(user) = find(conn, &wanted)? else { return Ok(None) };
        table::list_sessions(conn, &user.id, now).map(Some)
    });
    let Some(rows) = found.await? else { return Err(nobody(&who)) };
    let text = if json { rows.iter().map(|row| format!("{}\n", object(row))).collect() } else { lines(&rows) };
    print(&text)
}

/// In steps, so that no lock lasts long. Who signs in meanwhile may stay signed in.
async fn revoke_all(db: &Db) -> Result<(), CliError> {
    let (mut ended, mut after) = (0, String::new());
    loop {
        let from = std::mem::take(&mut after);
        let Some((count, last)) = db.write(move |conn| table::delete_next_sessions(conn, &from, BATCH)).await? else {
            return told(ended);
        };
        ended += count;
        after = last;
    }
}

fn told(count: usize) -> Result<(), CliError> {
    println!("sessions ended: {count}");
    Ok(())
}

fn object(row: &Session) -> Value {
    json!({
        "id": row.id,
        "created_at": wire::date(row.created_at),
        "expires_at": wire::date(row.expires_at),
        "ip_address": row.ip_address,
        "user_agent": row.user_agent,
    })
}

/// A line for each session, with a heading.
fn lines(rows: &[Session]) -> String {
    let mut text = format!("{:<32}  {:<19}  {:<19}  {:<39}  AGENT\n", "ID", "BEGUN (UTC)", "ENDS (UTC)", "ADDRESS");
    for row in rows {
        let (begun, ends, address) =
            (time(row.created_at), time(row.expires_at), shown(row.ip_address.as_deref().unwrap_or_default()));
        let line = format!(
            "{:<32}  {begun:<19}  {ends:<19}  {address:<39}  {}",
            row.id,
            shown(row.user_agent.as_deref().unwrap_or_default())
        );
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::from_ms;

    #[test]
    fn neither_form_shows_the_token_and_no_agent_steers_the_terminal() {
        let row = Session {
            id: "id1".to_owned(),
            expires_at: from_ms(1_893_456_000_000),
            token: "t0k3n".to_owned(),
            created_at: from_ms(0),
            updated_at: from_ms(0),
            ip_address: Some("192.0.2.1".to_owned()),
            user_agent: Some("Browser\u{1b}[2J\n\u{202e}x".to_owned()),
            user_id: "ada".to_owned(),
            additional_fields: "{}".to_owned(),
        };
        let text = lines(std::slice::from_ref(&row));
        let line = text.lines().nth(1).unwrap().split_whitespace().collect::<Vec<_>>().join(" ");
        let end = "2030-01-01 00:00:00 192.0.2.1 Browser\u{fffd}[2J\u{fffd}\u{fffd}x";
        assert_eq!(line, format!("id1 1970-01-01 00:00:00 {end}"));
        let object = object(&row).to_string();
        assert!(
            object.contains("\"expires_at\":\"2030-01-01T00:00:00.000Z\"") && !object.contains('\u{1b}'),
            "{object}"
        );
        for text in [text, object] {
            assert!(!text.contains("t0k3n"), "{text}");
        }
    }
}
