//! `auth-sidecar users set-field`, `verify` and `delete`.

use schema::{UserChanges, users};

use super::{fields, find, nobody, ready_database};
use crate::cli::CliError;
use crate::clock::Clock;
use crate::config::Config;
use crate::wire::declared::{merge_json, user_changes};

/// Which user.
#[derive(clap::Args)]
pub struct Who {
    /// Address or id
    #[arg(value_name = "EMAIL|ID")]
    pub who: String,
}

/// Which fields of which user.
#[derive(clap::Args)]
pub struct SetFieldArgs {
    #[command(flatten)]
    user: Who,
    /// A declared field and its value; `NAME=` clears it, lists are written as JSON arrays
    #[arg(value_name = "NAME=VALUE", required = true)]
    fields: Vec<String>,
}

/// Which user, and that it is meant.
#[derive(clap::Args)]
pub struct DeleteArgs {
    #[command(flatten)]
    user: Who,
    /// It is meant
    #[arg(long)]
    yes: bool,
}

/// Writes the fields.
pub async fn set_field(config: &Config, args: SetFieldArgs) -> Result<(), CliError> {
    let who = args.user.who;
    let declared = fields::parse_arguments(&config.fields.user, &args.fields)?;
    let (columns, part) = user_changes(&config.fields, &declared);
    let changes = UserChanges { updated_at: Some(Clock::System.now()), ..columns };
    let wanted = who.clone();
    let db = ready_database(&config.database).await?;
    let changed = db.write(move |conn| {
        let Some(user) = find(conn, &wanted)? else { return Ok(None) };
        // The first update takes the row's lock, so that two changes at once both last.
        let Some(user) = users::update_user(conn, &user.id, &changes)? else { return Ok(None) };
        if part.is_empty() {
            return Ok(Some(user));
        }
        let merged = merge_json(&user.additional_fields, part);
        let changes = UserChanges { additional_fields: Some(merged), ..UserChanges::default() };
        users::update_user(conn, &user.id, &changes)
    });
    let Some(user) = changed.await? else { return Err(nobody(&who)) };
    println!("{} is changed; where sessions are cached in cookies it shows when the cache is over", user.email);
    Ok(())
}

/// Marks the address as proven.
pub async fn verify(config: &Config, Who { who }: Who) -> Result<(), CliError> {
    let (wanted, now) = (who.clone(), Clock::System.now());
    let db = ready_database(&config.database).await?;
    let proven = db.write(move |conn| {
        let Some(user) = find(conn, &wanted)? else { return Ok(None) };
        let changed = users::prove_email(conn, &user.id, &user.email, now)?;
        Ok(Some((user.email, changed)))
    });
    match proven.await? {
        Some((email, true)) => println!("{email} counts as proven"),
        Some((email, false)) => println!("{email} was proven already"),
        None => return Err(nobody(&who)),
    }
    Ok(())
}

/// Deletes the user, and with them sessions, accounts and mailed links.
pub async fn delete(config: &Config, args: DeleteArgs) -> Result<(), CliError> {
    let who = args.user.who;
    let (wanted, yes) = (who.clone(), args.yes);
    let db = ready_database(&config.database).await?;
    let deleted = db.write(move |conn| {
        let Some(user) = find(conn, &wanted)? else { return Ok(None) };
        if yes {
            users::delete_user(conn, &user.id)?;
        }
        Ok(Some(user))
    });
    let Some(user) = deleted.await? else { return Err(nobody(&who)) };
    if !yes {
        let text = format!("nothing was deleted: add --yes to delete {} ({})", user.email, user.id);
        return Err(CliError::Failed(text));
    }
    println!("{} ({}) is deleted", user.email, user.id);
    Ok(())
}
