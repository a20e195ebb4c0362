//! `auth-sidecar doctor`: looks for the mistakes that are made again and again, and names for each
//! the line that ends it. It changes nothing.
//!
//! Without `--url` it judges settings and database of this machine; with it, a running deployment
//! ([`remote`]).

mod cookies;
mod database;
mod elsewhere;
mod place;
mod public_url;
mod remote;
mod report;
mod service;
mod settings;
mod site;
mod sqlite_file;
#[cfg(test)]
mod testing;
mod tokens;
mod trusted_origins;
mod warnings;

use std::collections::BTreeMap;

use clap::Args;

use self::remote::Deployment;
use self::report::{Level, Report};
use super::{CliError, block_on};

/// What to look at.
#[derive(Args)]
pub struct Patient {
    /// Check the running deployment at this URL, the baseURL of its clients, instead of the settings here
    #[arg(long)]
    url: Option<String>,
    /// With --url: the site whose pages call it
    #[arg(long)]
    origin: Option<String>,
    /// Print a list of {check, level, message, fix}
    #[arg(long)]
    json: bool,
}

/// Runs the checks; fails if one of them found a problem.
pub fn doctor(patient: &Patient) -> Result<(), CliError> {
    let mut report = Report::default();
    match (&patient.url, &patient.origin) {
        (None, None) => block_on(this_machine(&mut report)),
        (None, Some(_)) => return Err(CliError::Config("--origin needs --url".to_owned())),
        (Some(url), origin) => {
            let deployment = Deployment::parse(url).map_err(|what| CliError::Config(format!("--url {what}")))?;
            let origin = origin.as_deref().map(remote::parse_origin).transpose();
            let origin = origin.map_err(|what| CliError::Config(format!("--origin {what}")))?;
            block_on(remote::check(&deployment, origin.as_deref(), &mut report));
        }
    }
    if patient.json {
        println!("{}", report.json());
    } else {
        print!("{}", report.text());
    }
    match (report.count(Level::Problem), report.count(Level::Warning)) {
        (0, warnings) => {
            eprintln!("no problem, {}", counted(warnings, "warning"));
            Ok(())
        }
        (problems, warnings) => {
            Err(CliError::Failed(format!("{}, {}", counted(problems, "problem"), counted(warnings, "warning"))))
        }
    }
}

fn counted(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

/// Settings and database.
async fn this_machine(report: &mut Report) {
    let vars: BTreeMap<String, String> = super::environment().collect();
    let meant = settings::load(&vars, report);
    let Some(config) = &meant.config else {
        elsewhere::check(&vars, None, report);
        report.warning(
            "settings",
            "nothing else was checked: the settings above are needed for that",
            "auth-sidecar doctor, once they are right",
        );
        return;
    };
    public_url::check(config, report);
    trusted_origins::check(config, report);
    elsewhere::check(&vars, Some(config), report);
    cookies::check(config, report);
    tokens::check(config, report);
    service::check(config, meant.secret_is_known, report);
    warnings::check(&config.warnings, report);
    let ssl_mode = vars.get("PGSSLMODE").map(String::as_str);
    database::check(config, meant.secret_is_known, ssl_mode, report).await;
}
