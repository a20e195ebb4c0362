//! `auth-sidecar users show` and `list`.

use std::fmt::Write as _;

use schema::{User, accounts, sessions, users};
use serde_json::Value;

use super::columns::members;
use super::fields::to_text;
use super::{find, nobody, ready_database};
use crate::cli::{CliError, print, shown, time};
use crate::clock::Clock;
use crate::config::Config;
use crate::password;
use crate::wire;

/// Which user.
#[derive(clap::Args)]
pub struct ShowArgs {
    /// Address or id
    #[arg(value_name = "EMAIL|ID")]
    who: String,
    /// As one JSON object
    #[arg(long)]
    json: bool,
}

/// Which users.
#[derive(clap::Args)]
pub struct ListArgs {
    /// How many at most
    #[arg(long, default_value_t = 100)]
    limit: u32,
    /// Those after this one, for the next page
    #[arg(long, value_name = "EMAIL|ID")]
    after: Option<String>,
    /// Only those whose address or name holds this, in any letter case
    #[arg(long, value_name = "TEXT")]
    search: Option<String>,
    /// As JSON, one object a line
    #[arg(long)]
    json: bool,
}

/// Prints a user, one member a line.
pub async fn show(config: &Config, args: ShowArgs) -> Result<(), CliError> {
    let (who, now) = (args.who.clone(), Clock::System.now());
    let db = ready_database(&config.database).await?;
    let found = db.read(move |conn| {
        let Some(user) = find(conn, &who)? else { return Ok(None) };
        let accounts = accounts::list_accounts(conn, &user.id)?;
        let sessions = sessions::list_sessions(conn, &user.id, now)?.len();
        let ban = users::find_ban(conn, &user.id)?;
        Ok(Some((user, accounts, sessions, ban)))
    });
    let Some((user, accounts, sessions, ban)) = found.await? else { return Err(nobody(&args.who)) };
    let hash = accounts.iter().filter(|a| a.provider_id == accounts::CREDENTIAL).find_map(|a| a.password.as_deref());
    let kind = hash.map_or("none", |hash| password::kind_of(hash).unwrap_or("a hash that is refused"));
    let providers: Vec<&str> = accounts.iter().map(|account| account.provider_id.as_str()).collect();
    let mut members = members(&config.fields, &user);
    members.insert("password".to_owned(), kind.into());
    members.insert("accounts".to_owned(), providers.into());
    members.insert("sessions".to_owned(), sessions.into());
    members.insert("banned".to_owned(), ban.is_some().into());
    if let Some(ban) = ban {
        members.insert("ban_reason".to_owned(), ban.reason.into());
        members.insert("ban_expires".to_owned(), ban.until.map(wire::date).into());
    }
    if args.json {
        println!("{}", Value::Object(members));
        return Ok(());
    }
    let width = members.keys().map(|key| key.chars().count()).max().unwrap_or_default();
    for (key, value) in &members {
        println!("{}", format!("{key:width$}  {}", shown(&to_text(value))).trim_end());
    }
    Ok(())
}

/// Prints a page of users.
pub async fn list(config: &Config, args: ListArgs) -> Result<(), CliError> {
    let (after, search) = (args.after.clone(), args.search);
    let limit = i64::from(args.limit);
    let db = ready_database(&config.database).await?;
    let page = db.read(move |conn| {
        let after = match after {
            // An address says by itself where to go on, also that of a user who is gone.
            Some(email) if email.contains('@') => email.to_lowercase(),
            Some(id) => match users::find_user_by_id(conn, &id)? {
                Some(user) => user.email,
                None => return Ok(None),
            },
            None => String::new(),
        };
        users::list_users(conn, &after, search.as_deref(), limit).map(Some)
    });
    let Some(page) = page.await? else { return Err(nobody(&args.after.unwrap_or_default())) };
    let object = |user: &User| format!("{}\n", Value::Object(members(&config.fields, user)));
    let text = if args.json { page.iter().map(object).collect() } else { table(&page) };
    print(&text)?;
    if i64::try_from(page.len()).is_ok_and(|count| count == limit)
        && let Some(last) = page.last()
    {
        eprintln!("there may be more: --after {}", shown(&last.email));
    }
    Ok(())
}

/// A line for each user, with a heading.
fn table(users: &[User]) -> String {
    let mut text = format!("{:<32}  {:<36}  {:<8}  {:<19}  NAME\n", "ID", "EMAIL", "VERIFIED", "MADE (UTC)");
    for user in users {
        let verified = if user.email_verified { "yes" } else { "no" };
        let (id, email, name) = (shown(&user.id), shown(&user.email), shown(&user.name));
        let line = format!("{id:<32}  {email:<36}  {verified:<8}  {:<19}  {name}", time(user.created_at));
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}
