//! The command line: one file per subcommand that does more than print.

use std::io::{self, Write as _};
use std::process::ExitCode;

use chrono::NaiveDateTime;
use clap::{Parser, Subcommand};
use schema::{Db, DbConfig, DbError, migrations};

use crate::config::{Config, ConfigErrors, Machine, OnlyLooking, ThisMachine};

mod adopt;
mod doctor;
mod healthcheck;
mod keys;
mod mail;
mod migrate;
mod secret;
mod serve;
mod sessions;
mod types;
mod users;

/// Why a command failed; each kind has its exit code (docs/configuration.md).
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// Exit code 1.
    #[error("{0}")]
    Failed(String),
    /// Exit code 75, `EX_TEMPFAIL`: worth another try.
    #[error("{0}")]
    Database(String),
    /// Exit code 78, `EX_CONFIG`.
    #[error("{0}")]
    Config(String),
}

impl From<DbError> for CliError {
    fn from(error: DbError) -> Self {
        Self::Database(error.to_string())
    }
}

impl CliError {
    fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Failed(_) => 1,
            Self::Database(_) => 75,
            Self::Config(_) => 78,
        })
    }
}

#[derive(Parser)]
#[command(name = "auth-sidecar", version, about = "Better Auth's HTTP protocol as one program")]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Run the service (the default)
    Serve,
    /// Bring the database's tables up to date
    Migrate {
        #[command(subcommand)]
        action: Option<migrate::Action>,
    },
    /// Adopt an existing table of users; changes nothing without --apply
    Adopt(adopt::Options),
    /// Look after the outbox
    Mail {
        #[command(subcommand)]
        action: mail::Action,
    },
    /// Look after the keys that sign tokens
    Keys {
        #[command(subcommand)]
        action: keys::Action,
    },
    /// Make, show, change and delete users, import and export them
    Users {
        #[command(subcommand)]
        action: users::Action,
    },
    /// List and end sessions
    Sessions {
        #[command(subcommand)]
        action: sessions::Action,
    },
    /// Print the declared fields as types for the site or the backend
    Types {
        #[command(flatten)]
        language: types::Language,
    },
    /// Print the resolved settings, without secrets
    Config,
    /// Look for common mistakes, here or in a running deployment, and name the line that ends each
    Doctor {
        #[command(flatten)]
        patient: doctor::Patient,
    },
    /// Print a new secret for BETTER_AUTH_SECRET
    Secret,
    /// Ask a running service whether it is ready; for containers without curl
    Healthcheck {
        /// Address to ask; the default is the readiness of HOST and PORT
        #[arg(long)]
        url: Option<String>,
    },
    /// Print the version
    Version,
}

/// Parses the command line and runs it.
#[must_use]
pub fn run() -> ExitCode {
    let outcome = match Cli::parse().command.unwrap_or(Command::Serve) {
        Command::Serve => load_config(&ThisMachine).and_then(serve::serve),
        Command::Migrate { action } => load_config(&OnlyLooking).and_then(|config| migrate::migrate(&config, action)),
        Command::Adopt(options) => load_config(&OnlyLooking).and_then(|config| adopt::adopt(&config, options)),
        Command::Mail { action } => load_config(&OnlyLooking).and_then(|config| mail::mail(&config, action)),
        Command::Keys { action } => load_config(&ThisMachine).and_then(|config| keys::keys(&config, action)),
        Command::Users { action } => load_config(&OnlyLooking).and_then(|config| users::users(&config, action)),
        Command::Sessions { action } => {
            load_config(&OnlyLooking).and_then(|config| sessions::sessions(&config, action))
        }
        Command::Types { language } => {
            load_config(&OnlyLooking).map(|config| print!("{}", types::types(&config, &language)))
        }
        Command::Config => load_config(&OnlyLooking).map(|config| print!("{}", config.summary())),
        Command::Doctor { patient } => doctor::doctor(&patient),
        Command::Secret => secret::secret(),
        Command::Healthcheck { url } => healthcheck::healthcheck(url),
        Command::Version => {
            println!("auth-sidecar {}", env!("CARGO_PKG_VERSION"));
            Ok(())
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            error.exit_code()
        }
    }
}

fn load_config(machine: &dyn Machine) -> Result<Config, CliError> {
    let config = Config::from_env(environment(), machine)
        .map_err(|errors: ConfigErrors| CliError::Config(errors.to_string()))?;
    for warning in &config.warnings {
        eprintln!("warning: {warning}");
    }
    Ok(config)
}

/// The variables of the environment; one that is no UTF-8 is none of ours.
fn environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}

/// Runs `work` in one transaction on the configured database.
fn on_database<T: Send + 'static>(
    config: &Config,
    work: impl FnOnce(&mut schema::AnyConnection) -> diesel::QueryResult<T> + Send + 'static,
) -> Result<T, CliError> {
    let db = Db::open(config.database.clone()).map_err(|error| CliError::Config(error.to_string()))?;
    block_on(db.write(work)).map_err(|error: DbError| CliError::Database(error.to_string()))
}

/// The configured database, once it is sure that its tables are those of this program.
async fn ready_database(config: &DbConfig) -> Result<Db, CliError> {
    let db = Db::open(config.clone()).map_err(|error| CliError::Config(error.to_string()))?;
    let pending = migrations::pending(&db).await.map_err(|error| CliError::Database(error.to_string()))?;
    if !pending.is_empty() {
        return Err(CliError::Database("the tables are not up to date: run auth-sidecar migrate".to_owned()));
    }
    Ok(db)
}

/// Prints what may be long. That nobody reads it to its end, as in `| head`, is no fault.
fn print(text: &str) -> Result<(), CliError> {
    match io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(CliError::Failed(error.to_string())),
        _ => Ok(()),
    }
}

/// Text of others as a terminal may get it: without anything that would steer the terminal or turn the line around.
fn shown(text: &str) -> String {
    let steers = |c: char| {
        c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().map(|c| if steers(c) { '\u{fffd}' } else { c }).collect()
}

/// A time as lists show it.
fn time(at: NaiveDateTime) -> String {
    at.format("%Y-%m-%d %H:%M:%S").to_string()
}

/// Runs `future` to its end on a single-threaded runtime of its own.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    let system = actix_web::rt::System::new();
    let outcome = system.block_on(future);
    // Dropping it would wait for a query under way, such as one that waits for a lock; the process
    // ends now, and with it the query.
    std::mem::forget(system);
    outcome
}
