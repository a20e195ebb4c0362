//! `auth-sidecar users set-password`.

use schema::{accounts, sessions, users, verifications};

use super::password_input::PasswordInput;
use super::{find, hash_policy, nobody, ready_database};
use crate::cli::CliError;
use crate::clock::Clock;
use crate::config::Config;
use crate::flows::credentials::new_account;
use crate::plugins::email_otp::OtpType;

/// Whose password, and where it comes from.
#[derive(clap::Args)]
#[command(group(clap::ArgGroup::new("password").required(true).multiple(false)))]
pub struct Args {
    /// Address or id
    #[arg(value_name = "EMAIL|ID")]
    who: String,
    #[command(flatten)]
    password: PasswordInput,
    /// Leave the user signed in where they are
    #[arg(long)]
    keep_sessions: bool,
}

/// Writes the hash, into an account that is made when there is none, and ends what could still be opened with the old
/// password or a mail.
pub async fn set_password(config: &Config, args: Args) -> Result<(), CliError> {
    let now = Clock::System.now();
    let (who, keep_sessions) = (args.who.clone(), args.keep_sessions);
    let db = ready_database(&config.database).await?;
    let Some(hash) = args.password.hash(config, &hash_policy(&db, config).await?)? else {
        return Err(CliError::Failed("no password is given".to_owned()));
    };
    let done = db.write(move |conn| {
        let Some(found) = find(conn, &who)? else { return Ok(None) };
        let Some(user) = users::lock_user(conn, &found.id)? else { return Ok(None) };
        match accounts::find_credential_account(conn, &user.id)? {
            Some(account) => accounts::update_password(conn, &account.id, &hash, now).map(drop)?,
            None => accounts::insert_account(conn, &new_account(&user.id, hash, now))?,
        }
        verifications::delete_reset_tokens(conn, &user.id)?;
        verifications::delete_verifications(conn, &OtpType::ForgetPassword.identifier(&user.email))?;
        let ended = if keep_sessions { 0 } else { sessions::delete_user_sessions(conn, &user.id)? };
        Ok(Some((user.email, ended)))
    });
    let Some((email, ended)) = done.await? else { return Err(nobody(&args.who)) };
    println!("the password of {email} is set; sessions ended: {ended}");
    Ok(())
}
