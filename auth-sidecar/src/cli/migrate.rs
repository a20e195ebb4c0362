//! `auth-sidecar migrate`.

use clap::Subcommand;
use schema::{Db, migrations};

use super::{CliError, block_on};
use crate::config::Config;
use crate::fields::column_rules;

/// What to do with the migrations.
#[derive(Subcommand)]
pub enum Action {
    /// Apply what is missing (the default)
    Up,
    /// List the migrations and whether each is applied
    Status,
    /// Print the SQL of the migrations that are missing, and change nothing
    Print,
}

/// Runs the action; `up` is safe to run from several places at once.
pub fn migrate(config: &Config, action: Option<Action>) -> Result<(), CliError> {
    let db = Db::open(config.database.clone()).map_err(|error| CliError::Config(error.to_string()))?;
    let failed = |error: migrations::MigrateError| CliError::Database(error.to_string());
    block_on(async {
        match action.unwrap_or(Action::Up) {
            Action::Up => {
                let pending = migrations::pending(&db).await.map_err(failed)?;
                migrations::up(&db, &column_rules(&config.fields)).await.map_err(failed)?;
                for name in pending {
                    println!("applied {name}");
                }
                println!("the database is up to date");
            }
            Action::Status => {
                for status in migrations::status(&db).await.map_err(failed)? {
                    println!("{} {}", if status.applied { "applied" } else { "missing" }, status.name);
                }
            }
            Action::Print => print!("{}", migrations::pending_sql(&db).await.map_err(failed)?),
        }
        Ok(())
    })
}
