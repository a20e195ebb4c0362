//! `auth-sidecar mail`.

use chrono::NaiveDateTime;
use clap::{Args, Subcommand, ValueEnum};
use schema::{MailRow, MailState, mails};

use super::{CliError, block_on, on_database};
use crate::clock::Clock;
use crate::config::Config;
use crate::mail::{Mail, MailKind, Mailer, describe};

/// What to do with the outbox.
#[derive(Subcommand)]
pub enum Action {
    /// List mails, newest first; never their links
    List {
        /// Only those in this state
        #[arg(long)]
        state: Option<State>,
        /// How many at most
        #[arg(long, default_value_t = 100)]
        limit: u32,
    },
    /// Make failed mails due again; a running service sends them within seconds
    Retry(Which),
    /// Send a test mail now and tell what came of it
    Test {
        /// Where it goes
        address: String,
    },
}

/// Which failed mails are meant.
#[derive(Args)]
#[group(required = true, multiple = false)]
pub struct Which {
    /// Id of the mail, as `mail list` prints it
    id: Option<String>,
    /// All whose links and codes are still good
    #[arg(long)]
    all_failed: bool,
}

/// Where a mail stands.
#[derive(Clone, Copy, ValueEnum)]
pub enum State {
    /// To be sent
    Pending,
    /// Given up
    Failed,
    /// Sent in the last week
    Sent,
}

impl From<State> for MailState {
    fn from(state: State) -> Self {
        match state {
            State::Pending => Self::Pending,
            State::Failed => Self::Failed,
            State::Sent => Self::Sent,
        }
    }
}

/// Runs the action.
pub fn mail(config: &Config, action: Action) -> Result<(), CliError> {
    let now = Clock::System.now();
    match action {
        Action::List { state, limit } => {
            let state = state.map(MailState::from);
            let rows = on_database(config, move |conn| mails::list_mails(conn, state, limit.into()))?;
            print!("{}", table(&rows));
            Ok(())
        }
        Action::Retry(Which { id, .. }) => retry(config, id, now),
        Action::Test { address } => test(config, address, now),
    }
}

fn retry(config: &Config, id: Option<String>, now: NaiveDateTime) -> Result<(), CliError> {
    let wanted = id.clone();
    match (on_database(config, move |conn| mails::retry_mails(conn, wanted.as_deref(), now))?, id) {
        (0, Some(id)) => {
            Err(CliError::Failed(format!("{id} is not the id of a failed mail whose link or code is still good")))
        }
        (1, _) => {
            println!("1 mail is due again");
            Ok(())
        }
        (count, _) => {
            println!("{count} mails are due again");
            Ok(())
        }
    }
}

fn test(config: &Config, address: String, now: NaiveDateTime) -> Result<(), CliError> {
    let failed = |error: String| CliError::Failed(format!("not sent: {error}"));
    let way = describe(&config.mail.transport);
    let mailer = Mailer::new(config.mail.clone()).map_err(|error| failed(error.to_string()))?;
    block_on(mailer.send_now(&Mail::new(MailKind::Test, address.as_str()), now)).map_err(failed)?;
    println!("handed over for {address} by {way}");
    Ok(())
}

/// A line for each mail, with a heading.
fn table(rows: &[MailRow]) -> String {
    let mut lines = vec![line(["ID", "KIND", "RECIPIENT", "STATE", "TRIES", "MADE (UTC)", "NEXT (UTC)"], "LAST ERROR")];
    let time = |time: NaiveDateTime| time.format("%Y-%m-%d %H:%M:%S").to_string();
    for row in rows {
        let next = if row.state == MailState::Pending.as_str() { time(row.next_attempt_at) } else { "-".to_owned() };
        let (tries, made) = (row.attempts.to_string(), time(row.created_at));
        let recipient = masked(&row.recipient);
        let cells = [&row.id, &row.kind, &recipient, &row.state, &tries, &made, &next].map(String::as_str);
        lines.push(line(cells, row.last_error.as_deref().unwrap_or_default()));
    }
    lines.concat()
}

fn line([id, kind, recipient, state, tries, made, next]: [&str; 7], error: &str) -> String {
    let text = format!("{id:32}  {kind:22}  {recipient:28}  {state:7}  {tries:>5}  {made:19}  {next:19}  {error}");
    format!("{}\n", text.trim_end())
}

/// The first letter and the domain: `a***@example.com`.
fn masked(address: &str) -> String {
    let (local, domain) = address.rsplit_once('@').unwrap_or((address, ""));
    let first: String = local.chars().take(1).collect();
    format!("{first}***@{domain}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::from_ms;

    #[test]
    fn the_list_shows_neither_payload_nor_whole_address() {
        let row = MailRow {
            id: "id1".to_owned(),
            kind: "reset-password".to_owned(),
            recipient: "ada@example.com".to_owned(),
            payload: "{\"token\":\"t0k3n\"}".to_owned(),
            state: "failed".to_owned(),
            attempts: 9,
            next_attempt_at: from_ms(0),
            expires_at: None,
            last_error: Some("the webhook answered 500".to_owned()),
            created_at: from_ms(1_893_456_000_000),
            updated_at: from_ms(0),
            sent_at: None,
        };
        let text = table(&[row]);
        assert!(!text.contains("t0k3n") && !text.contains("ada@"), "{text}");
        let words: Vec<&str> = text.lines().nth(1).unwrap().split_whitespace().collect();
        let expected = "id1 reset-password a***@example.com failed 9 2030-01-01 00:00:00 - the webhook answered 500";
        assert_eq!(words.join(" "), expected);
    }

    #[test]
    fn addresses_are_masked_whatever_they_hold() {
        for (address, shown) in [("a@b.c", "a***@b.c"), ("äöü@b.c", "ä***@b.c"), ("", "***@"), ("x", "x***@")] {
            assert_eq!(masked(address), shown);
        }
    }
}
