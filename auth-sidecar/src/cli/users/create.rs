//! `auth-sidecar users create`.

use schema::{DbError, User, accounts, adoption, users};

use super::password_input::PasswordInput;
use super::{fields, hash_policy, ready_database};
use crate::cli::CliError;
use crate::clock::Clock;
use crate::config::Config;
use crate::email_form::is_email;
use crate::flows::credentials::new_account;
use crate::ids::new_id;
use crate::password;
use crate::wire::declared::{merge_json, user_changes};

/// Who is to be made.
#[derive(clap::Args)]
pub struct Args {
    /// The address
    #[arg(long)]
    email: String,
    /// The name to show
    #[arg(long, default_value = "")]
    name: String,
    /// The address counts as proven
    #[arg(long)]
    verified: bool,
    /// A declared field; lists are written as JSON arrays
    #[arg(long, value_name = "NAME=VALUE")]
    field: Vec<String>,
    #[command(flatten)]
    password: PasswordInput,
    /// The hash of the password, of any kind the service verifies
    #[arg(long, group = "password")]
    hash: Option<String>,
}

/// Inserts the user and, when there is a password, the account; prints id and address.
pub async fn create(config: &Config, args: Args) -> Result<(), CliError> {
    if !is_email(&args.email) {
        return Err(CliError::Failed(format!("{} is not an address", args.email)));
    }
    let registry = &config.fields;
    let mut declared = fields::parse_arguments(&registry.user, &args.field)?;
    fields::complete(&registry.user, &mut declared).map_err(CliError::Failed)?;
    let db = ready_database(&config.database).await?;
    let hash = match args.hash {
        Some(hash) => {
            password::kind_of(&hash).map_err(|refused| CliError::Failed(format!("the hash is refused: {refused}")))?;
            Some(hash)
        }
        None => args.password.hash(config, &hash_policy(&db, config).await?)?,
    };
    let id = new_id(&db, adoption::current(&db).await?.as_ref(), "users").await?;
    let now = Clock::System.now();
    let (columns, json) = user_changes(registry, &declared);
    let user = User {
        id,
        name: args.name,
        email: args.email.to_lowercase(),
        email_verified: args.verified,
        image: None,
        created_at: now,
        updated_at: now,
        software_background: columns.software_background.flatten(),
        hardware_background: columns.hardware_background.flatten(),
        additional_fields: merge_json("{}", json),
    };
    let account = hash.map(|hash| new_account(&user.id, hash, now));
    let made = format!("{} {}", user.id, user.email);
    let email = user.email.clone();
    let written = db.write(move |conn| {
        users::insert_user(conn, &user)?;
        account.iter().try_for_each(|account| accounts::insert_account(conn, account))
    });
    match written.await {
        Ok(()) => {
            println!("{made}");
            Ok(())
        }
        Err(DbError::UniqueViolation { .. }) => Err(CliError::Failed(format!("there is a user {email} already"))),
        Err(error @ DbError::CheckViolation { .. }) => Err(CliError::Failed(error.to_string())),
        Err(error) => Err(error.into()),
    }
}
