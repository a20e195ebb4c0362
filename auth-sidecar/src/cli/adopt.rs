//! `auth-sidecar adopt`: the tables of another program become those this service works on.

use std::fmt::Write as _;
use std::io::{self, BufRead as _, Write as _};
use std::time::Instant;

use clap::Args;
use schema::adoption::{
    self, AdoptError, Adoption, DeclaredField, Overrides, Plan, Source, TableName, TablePlan, compat,
};
use schema::{Backend, Db, IdKind};

use super::{CliError, block_on, print};
use crate::config::Config;
use crate::fields::{Field, FieldRegistry, Storage, column_rules};

/// What to adopt, and whether to do it.
#[derive(Args)]
pub struct Options {
    /// The table of users, as `public.app_users`; without it, the only one that looks like one
    #[arg(long)]
    table: Option<String>,
    /// A column of ours and the one that answers to it, as `password=pwd_hash`; may be repeated
    #[arg(long, value_name = "OURS=THEIRS", value_parser = pair)]
    column: Vec<(String, String)>,
    /// A column that keeps nobody out, whatever its name suggests; may be repeated
    #[arg(long, value_name = "THEIRS")]
    ignore: Vec<String>,
    /// Instead, read-only views named and shaped as a Better Auth server's tables, for tools that read those
    #[arg(long, conflicts_with_all = ["table", "column"])]
    compat_views: bool,
    /// Do it; without this nothing is changed
    #[arg(long)]
    apply: bool,
    /// Undo an adoption (the columns it added go, with what they hold), or remove the views
    #[arg(long, conflicts_with_all = ["apply", "table", "column"])]
    revert: bool,
    /// SQLite: take our views and triggers off the tables until the next start, so that the other program may migrate
    #[arg(long, conflicts_with_all = ["apply", "table", "column", "revert", "compat_views"])]
    pause: bool,
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
    let changes = options.apply || options.revert || options.pause;
    let open = if changes { Db::open } else { Db::open_to_look };
    let db = open(config.database.clone()).map_err(|error| CliError::Config(error.to_string()))?;
    block_on(async {
        match &options {
            Options { compat_views: true, .. } => compat_views(&db, &options).await,
            Options { revert: true, .. } => revert(&db, &options).await,
            Options { pause: true, .. } => pause(&db).await,
            _ => run(&db, config, options).await,
        }
    })
}

async fn run(db: &Db, config: &Config, options: Options) -> Result<(), CliError> {
    if let Some(current) = current(db).await? {
        println!("{} already: there is nothing to do", state(&current));
        return Ok(());
    }
    let table = options.table.as_deref().map(|table| TableName::parse(db.backend(), table));
    let overrides =
        Overrides { table, columns: options.column, fields: declared(&config.fields), ignored: options.ignore };
    let began = Instant::now();
    let plan = adoption::plan(db, overrides).await.map_err(failed)?;
    let took = format!("Took     {:.1} s to look at every row\n", began.elapsed().as_secs_f64());
    print(&(described(db.backend(), &plan) + &took))?;
    if !plan.problems.is_empty() {
        return Err(CliError::Failed("nothing was changed: solve the problems first".to_owned()));
    }
    if !options.apply {
        return print(&format!(
            "\nThe statements{}:\n\n{}\nNothing was changed. --apply does it, in one transaction.\n",
            match db.backend() {
                Backend::Postgres => format!(", after our own tables are made in the schema {}", adoption::SCHEMA),
                Backend::Sqlite => String::new(),
            },
            adoption::shown(db.backend(), &plan).map_err(failed)?
        ));
    }
    confirm(options.yes)?;
    let began = Instant::now();
    let what = match plan.source {
        Source::BetterAuth => "the Better Auth database".to_owned(),
        Source::UsersTable => plan.table("users").map(|table| table.table.sql()).unwrap_or_default(),
    };
    adoption::apply(db, plan, &column_rules(&config.fields)).await.map_err(failed)?;
    println!(
        "{what} is adopted, in {:.1} s; auth-sidecar serve needs no further setting",
        began.elapsed().as_secs_f64()
    );
    Ok(())
}

/// The fields that theirs may have columns for.
fn declared(registry: &FieldRegistry) -> Vec<DeclaredField> {
    let of = |table: &'static str, fields: &[Field]| -> Vec<DeclaredField> {
        let fields = fields.iter().filter(|field| matches!(field.storage, Storage::Json));
        fields.map(|field| DeclaredField { table, name: field.name.clone(), key: field.key.clone() }).collect()
    };
    [of("users", &registry.user), of("sessions", &registry.session)].concat()
}

async fn current(db: &Db) -> Result<Option<Adoption>, CliError> {
    adoption::current(db).await.map_err(|error| CliError::Database(error.to_string()))
}

fn state(adoption: &Adoption) -> String {
    let are = if adoption.tables.len() == 1 { "is" } else { "are" };
    format!("{} {are} adopted, since {},", adoption.names(), adoption.since.format("%Y-%m-%d %H:%M:%S"))
}

async fn revert(db: &Db, options: &Options) -> Result<(), CliError> {
    let Some(current) = current(db).await? else { return Err(CliError::Failed("nothing is adopted".to_owned())) };
    println!("{}", state(&current).trim_end_matches(','));
    match current.source {
        Source::UsersTable => println!("Everybody is signed out."),
        Source::BetterAuth => println!("Whoever is signed in stays so at the Better Auth server."),
    }
    println!("The columns that were added are removed with what they hold.");
    confirm(options.yes)?;
    adoption::revert(db).await.map_err(failed)?;
    println!("undone");
    Ok(())
}

async fn pause(db: &Db) -> Result<(), CliError> {
    let paused = adoption::pause(db).await.map_err(failed)?;
    println!("our views and triggers are off {}: the next start of the service brings them back", paused.names());
    Ok(())
}

async fn compat_views(db: &Db, options: &Options) -> Result<(), CliError> {
    if options.revert {
        compat::remove(db).await.map_err(failed)?;
        println!("the views are removed");
        return Ok(());
    }
    let statements = compat::shown(db).await.map_err(failed)?;
    if !options.apply {
        return print(&format!("{statements}\nNothing was changed. --apply does it, in one transaction.\n"));
    }
    compat::make(db).await.map_err(failed)?;
    println!("the views \"user\", \"session\", \"account\" and \"verification\" are made");
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
fn described(backend: Backend, plan: &Plan) -> String {
    let mut text = match plan.source {
        Source::UsersTable => String::new(),
        Source::BetterAuth => {
            "A Better Auth database: it is served in place, beside the Node server or instead of it\n\n".to_owned()
        }
    };
    for table in &plan.tables {
        describe_table(&mut text, table);
    }
    list(&mut text, "Notes", plan.notes.clone());
    list(&mut text, "Problem", plan.problems.clone());
    let locks = match backend {
        Backend::Postgres => {
            "SHARE and SHARE ROW EXCLUSIVE while the hashes are copied and indexes are made: writing waits, reading goes on; \
             ACCESS EXCLUSIVE for the last moment, when columns are added"
        }
        Backend::Sqlite => "reading goes on; writing waits until it is done",
    };
    list(&mut text, "Locks", vec![locks.to_owned()]);
    text
}

fn describe_table(text: &mut String, table: &TablePlan) {
    let ids = match (table.ids, table.ours) {
        (IdKind::Text, _) => "texts; new ones have 32 letters and digits",
        (IdKind::Uuid, _) => "UUIDs; new ones are such",
        (IdKind::UuidHex, _) => "UUIDs without hyphens; new ones are such",
        (IdKind::Number, _) => "numbers; new ones are counted as before",
    };
    // Writing to a String cannot fail.
    let _ = writeln!(text, "Table    {}, {} rows, as {}", table.table.sql(), table.rows, table.ours);
    list(text, "Ids", vec![ids.to_owned()]);
    let kept = table.kept.iter().map(|kept| format!("{} ({}) as {}", kept.column.name, kept.column.kind, kept.ours));
    list(text, "Keeps", kept.collect());
    list(text, "Fields", table.declared.iter().map(|(name, column)| format!("{} as {name}", column.name)).collect());
    list(text, "Adds", table.added.iter().map(|(_, name)| name.clone()).collect());
    list(text, "Gives", table.given.iter().map(|(column, value)| format!("{column} = {value} to new rows")).collect());
    let index = |index: &adoption::Index| format!("{}{}", if index.unique { "unique " } else { "" }, index.on);
    list(text, "Indexes", table.indexes.iter().map(index).collect());
    text.push('\n');
}

fn list(text: &mut String, title: &str, lines: Vec<String>) {
    for (index, line) in lines.into_iter().enumerate() {
        let _ = writeln!(text, "{:<8} {line}", if index == 0 { title } else { "" });
    }
}
