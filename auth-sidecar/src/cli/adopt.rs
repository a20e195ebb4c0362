//! `auth-sidecar adopt`: an existing table of users becomes the one this service works on.

use std::fmt::Write as _;
use std::io::{self, BufRead as _, Write as _};

use clap::Args;
use schema::adoption::{self, AdoptError, Overrides, Plan, TableName};
use schema::{Db, IdKind};

use super::{CliError, block_on, print};
use crate::config::Config;
use crate::fields::column_rules;

/// What to adopt, and whether to do it.
#[derive(Args)]
pub struct Options {
    /// The table, as `public.app_users`; without it, the only one that looks like one of users
    #[arg(long)]
    table: Option<String>,
    /// A column of ours and the one that answers to it, as `password=pwd_hash`; may be repeated
    #[arg(long, value_name = "OURS=THEIRS", value_parser = pair)]
    column: Vec<(String, String)>,
    /// Do it; without this nothing is changed
    #[arg(long)]
    apply: bool,
    /// Undo an adoption: the columns it added go, with what they hold
    #[arg(long, conflicts_with_all = ["apply", "table", "column"])]
    revert: bool,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (ours, theirs) = text.split_once('=').ok_or("write OURS=THEIRS")?;
    Ok((ours.trim().to_owned(), theirs.trim().to_owned()))
}

/// Runs it.
pub fn adopt(config: &Config, options: Options) -> Result<(), CliError> {
    let db = Db::open(config.database.clone()).map_err(|error| CliError::Config(error.to_string()))?;
    block_on(run(&db, config, options))
}

async fn run(db: &Db, config: &Config, options: Options) -> Result<(), CliError> {
    let current = adoption::current(db).await.map_err(|error| CliError::Database(error.to_string()))?;
    if options.revert {
        let Some(current) = current else { return Err(CliError::Failed("no table is adopted".to_owned())) };
        println!("{} is adopted since {}.", current.table, current.since.format("%Y-%m-%d %H:%M:%S"));
        println!("Everybody is signed out, and the columns that were added to it are removed with what they hold.");
        confirm(options.yes)?;
        adoption::revert(db).await.map_err(failed)?;
        println!("undone");
        return Ok(());
    }
    if let Some(current) = current {
        println!(
            "{} is adopted since {}: there is nothing to do",
            current.table,
            current.since.format("%Y-%m-%d %H:%M:%S")
        );
        return Ok(());
    }
    let overrides = Overrides { table: options.table.as_deref().map(TableName::parse), columns: options.column };
    let plan = adoption::plan(db, overrides).await.map_err(failed)?;
    print(&described(&plan))?;
    if !plan.problems.is_empty() {
        return Err(CliError::Failed("nothing was changed: solve the problems first".to_owned()));
    }
    if !options.apply {
        return print(&format!(
            "\nThe statements, after our own tables are made in the schema {}:\n\n{}\nNothing was changed. --apply does it, in \
             one transaction.\n",
            adoption::SCHEMA,
            adoption::shown(&plan)
        ));
    }
    confirm(options.yes)?;
    let began = std::time::Instant::now();
    let table = plan.table.sql();
    adoption::apply(db, plan, &column_rules(&config.fields)).await.map_err(failed)?;
    println!(
        "{table} is adopted, in {:.1} s; auth-sidecar serve needs no further setting",
        began.elapsed().as_secs_f64()
    );
    Ok(())
}

fn failed(error: AdoptError) -> CliError {
    match error {
        AdoptError::Database(error) => CliError::Database(error.to_string()),
        other => CliError::Failed(other.to_string()),
    }
}

fn confirm(yes: bool) -> Result<(), CliError> {
    if yes {
        return Ok(());
    }
    print!("Go on? Write yes: ");
    let mut answer = String::new();
    let read = io::stdout().flush().and_then(|()| io::stdin().lock().read_line(&mut answer));
    match read {
        Ok(_) if answer.trim().eq_ignore_ascii_case("yes") => Ok(()),
        _ => Err(CliError::Failed("nothing was changed".to_owned())),
    }
}

/// The plan, as a person reads it.
fn described(plan: &Plan) -> String {
    let ids = match plan.ids {
        IdKind::Text => "texts; new users get 32 letters and digits",
        IdKind::Uuid => "UUIDs; new users get such",
        IdKind::Number => "numbers; new users get the next of the table's own sequence",
    };
    let mut text = format!("Table    {}, {} rows\nIds      {}: {ids}\n", plan.table.sql(), plan.rows, plan.id_type);
    let mut list = |title: &str, lines: Vec<String>| {
        for (index, line) in lines.into_iter().enumerate() {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{:<8} {line}", if index == 0 { title } else { "" });
        }
    };
    list(
        "Keeps",
        plan.kept.iter().map(|(ours, theirs)| format!("{} ({}) as {ours}", theirs.name, theirs.kind)).collect(),
    );
    list("Adds", plan.added.iter().map(|column| (*column).to_owned()).collect());
    list("Gives", plan.given.iter().map(|(column, value)| format!("{column} = {value} to new users")).collect());
    list("Notes", plan.notes.clone());
    list("Problem", plan.problems.clone());
    list(
        "Locks",
        vec![
            "reading goes on but for the last moment; writing waits while the hashes are copied and indexes are made"
                .to_owned(),
        ],
    );
    text
}
