//! `auth-sidecar users`: what an operator does to users, one by one or all at once.

mod ban;
mod change;
mod columns;
mod create;
mod export;
mod fields;
mod import;
mod list;
mod password_input;
mod set_password;

use clap::Subcommand;
use schema::{AnyConnection, Db, User, adoption, users as table};

use super::{CliError, block_on, ready_database};
use crate::config::Config;
use crate::password::HashPolicy;

/// What to do with users.
#[derive(Subcommand)]
pub enum Action {
    /// Make a user; without a password, who can set one by "forgot password"
    Create(create::Args),
    /// Show one user with all declared fields; never the hash
    Show(list::ShowArgs),
    /// List users by address
    List(list::ListArgs),
    /// Set a password; ends the user's sessions and mailed reset links
    SetPassword(set_password::Args),
    /// Set declared fields, or clear them
    SetField(change::SetFieldArgs),
    /// Mark a user's address as proven
    Verify(change::Who),
    /// Keep a user out, until a time or for good; ends the user's sessions
    Ban(ban::Args),
    /// Lift a ban
    Unban(change::Who),
    /// Delete a user with all sessions and accounts
    Delete(change::DeleteArgs),
    /// Take users over from a file, with the hashes of their passwords
    Import(import::Args),
    /// Write users to a file that `users import` reads
    Export(export::Args),
}

/// Runs the action.
pub fn users(config: &Config, action: Action) -> Result<(), CliError> {
    block_on(async {
        match action {
            Action::Create(args) => create::create(config, args).await,
            Action::Show(args) => list::show(config, args).await,
            Action::List(args) => list::list(config, args).await,
            Action::SetPassword(args) => set_password::set_password(config, args).await,
            Action::SetField(args) => change::set_field(config, args).await,
            Action::Verify(who) => change::verify(config, who).await,
            Action::Ban(args) => ban::ban(config, args).await,
            Action::Unban(who) => ban::unban(config, who).await,
            Action::Delete(args) => change::delete(config, args).await,
            Action::Import(args) => import::import(config, args).await,
            Action::Export(args) => export::export(config, args).await,
        }
    })
}

/// The user an operator means, by address in any letter case or by id.
pub fn find(conn: &mut AnyConnection, who: &str) -> diesel::QueryResult<Option<User>> {
    if who.contains('@')
        && let Some(user) = table::find_user_by_email(conn, &who.to_lowercase())?
    {
        return Ok(Some(user));
    }
    table::find_user_by_id(conn, who)
}

/// How new hashes are made in this database.
pub async fn hash_policy(db: &Db, config: &Config) -> Result<HashPolicy, CliError> {
    let adopted = adoption::current(db).await?;
    Ok(adopted.map_or(config.password.policy, |adopted| config.password.policy_on(&adopted)))
}

/// There is no such user.
pub fn nobody(who: &str) -> CliError {
    CliError::Failed(format!("there is no user {who}"))
}
