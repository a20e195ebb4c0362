//! `auth-sidecar users import`: users of another system, from a file, with the hashes of their passwords.
//!
//! The file is read row by row and written in batches, each by one transaction: a user and their account are written
//! together or not at all. Who is there already is passed by, so a run that was cut off is finished by the same
//! command.

mod batch;
mod progress;
mod rejects;
mod row;
mod source;

use std::collections::HashSet;
use std::fs::{self, File};
use std::hash::{BuildHasher as _, RandomState};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use schema::{Db, adoption};

use self::batch::{Candidate, Fate, Mode};
use self::progress::{Counts, Progress};
use self::rejects::Rejects;
use self::row::Row;
use self::source::{Raw, Record, Source};
use super::columns::{Format, patient};
use super::ready_database;
use crate::cli::CliError;
use crate::clock::Clock;
use crate::config::Config;

/// Rows of one transaction.
const BATCH: usize = 500;

/// Which file, and what becomes of its rows.
#[derive(clap::Args)]
pub struct Args {
    /// The file; `-` for standard input
    file: PathBuf,
    /// The form, when the file's name does not tell
    #[arg(long)]
    format: Option<Format>,
    /// Check everything and write nothing
    #[arg(long)]
    dry_run: bool,
    /// Where rejected rows go, each with line and reason; readable by its owner alone
    #[arg(long, value_name = "FILE")]
    reject: Option<PathBuf>,
    /// Change who is there already to what the file says, the password included; sessions stay
    #[arg(long)]
    update: bool,
    /// Leave columns out that are not known, instead of refusing them
    #[arg(long)]
    ignore_unknown: bool,
}

/// Imports the file and prints one line of what came of it; an error when a row was rejected.
pub async fn import(config: &Config, args: Args) -> Result<(), CliError> {
    let name = args.file.display().to_string();
    let Some(format) = Format::of(args.format, &name) else {
        return Err(CliError::Failed(format!("{name}: is it csv or jsonl? Say so with --format")));
    };
    let failed = |error: &dyn std::fmt::Display| CliError::Failed(format!("{name}: {error}"));
    let (input, size) = open(&args.file).map_err(|error| failed(&error))?;
    let source = Source::open(input, format, &config.fields.user, args.ignore_unknown).map_err(|e| failed(&e))?;
    let reject = args.reject.as_deref();
    if reject.is_some_and(|reject| is_same_file(reject, &args.file)) {
        return Err(CliError::Failed("the rejected rows need a file of their own".to_owned()));
    }
    let db = ready_database(&patient(config)).await?;
    if let Some(adopted) = adoption::current(&db).await? {
        return Err(CliError::Failed(format!(
            "adopted tables ({}) are filled by their own program or by SQL",
            adopted.names()
        )));
    }
    let rejects = Rejects::open(reject, source.header()).map_err(|error| unwritten(reject, &error))?;
    let mode = if args.dry_run {
        Mode::DryRun
    } else if args.update {
        Mode::Update
    } else {
        Mode::Insert
    };
    let mut run = Run {
        config,
        db,
        mode,
        source,
        rejects,
        reject,
        batch: Batch::default(),
        seen: Seen::default(),
        counts: Counts::default(),
        progress: Progress::new(size),
    };
    let outcome = run.all().await;
    run.progress.end();
    println!("{}", run.counts.summary(args.dry_run, args.update, run.progress.seconds()));
    outcome.map_err(|error| match error {
        CliError::Failed(error) => CliError::Failed(format!("{name}: {error}")),
        CliError::Database(error) => CliError::Database(format!("{error}; the same command goes on from here")),
        other => other,
    })?;
    match (run.counts.rejected, reject) {
        (0, _) => Ok(()),
        (count, Some(path)) => Err(CliError::Failed(format!("rejected rows: {count}, in {}", path.display()))),
        (count, None) => Err(CliError::Failed(format!("rejected rows: {count}"))),
    }
}

fn open(path: &Path) -> io::Result<(Box<dyn Read>, Option<u64>)> {
    if path == Path::new("-") {
        return Ok((Box::new(io::stdin().lock()), None));
    }
    let file = File::open(path)?;
    let size = file.metadata().ok().filter(fs::Metadata::is_file).map(|metadata| metadata.len());
    Ok((Box::new(file), size))
}

fn is_same_file(one: &Path, other: &Path) -> bool {
    matches!((fs::canonicalize(one), fs::canonicalize(other)), (Ok(one), Ok(other)) if one == other)
}

fn unwritten(reject: Option<&Path>, error: &io::Error) -> CliError {
    let name = reject.map(|path| path.display().to_string()).unwrap_or_default();
    CliError::Failed(format!("{name}: {error}"))
}

/// An import under way.
struct Run<'a> {
    config: &'a Config,
    db: Db,
    mode: Mode,
    source: Source<'a>,
    rejects: Rejects,
    reject: Option<&'a Path>,
    batch: Batch,
    seen: Seen,
    counts: Counts,
    progress: Progress,
}

impl Run<'_> {
    async fn all(&mut self) -> Result<(), CliError> {
        loop {
            let record = match self.source.next() {
                Ok(Some(record)) => record,
                Ok(None) => return self.write().await,
                Err(error) => {
                    self.write().await?;
                    return Err(CliError::Failed(format!("after {} rows: {error}", self.counts.read)));
                }
            };
            self.counts.read += 1;
            self.take(record).await?;
            self.progress.tick(self.source.bytes(), &self.counts);
        }
    }

    async fn take(&mut self, Record { line, raw, row }: Record) -> Result<(), CliError> {
        let row = match row {
            Ok(row) => row,
            Err(reason) => return self.reject(line, &reason, &raw),
        };
        // Which of two is taken must not depend on how the batches fall.
        if self.batch.has(&row) {
            self.write().await?;
        }
        if let Some(reason) = self.seen.reason(&row) {
            return self.reject(line, reason, &raw);
        }
        self.batch.push(line, raw, row);
        if self.batch.rows.len() >= BATCH { self.write().await } else { Ok(()) }
    }

    /// Writes what is waiting.
    async fn write(&mut self) -> Result<(), CliError> {
        let Batch { origins, rows, .. } = std::mem::take(&mut self.batch);
        let now = Clock::System.now();
        let candidates: Vec<Candidate> =
            rows.into_iter().map(|row| Candidate::new(row, &self.config.fields, now)).collect();
        let (candidates, fates) = batch::write(&self.db, candidates, &self.config.fields, self.mode, now).await?;
        for ((line, raw), (candidate, fate)) in origins.into_iter().zip(candidates.iter().zip(fates)) {
            match fate {
                Fate::Rejected(reason) => {
                    self.reject(line, &reason, &raw)?;
                    continue;
                }
                Fate::Imported => self.counts.imported += 1,
                Fate::Updated => self.counts.updated += 1,
                Fate::There => self.counts.there += 1,
            }
            self.seen.insert(&candidate.row);
        }
        self.rejects.flush().map_err(|error| unwritten(self.reject, &error))
    }

    fn reject(&mut self, line: u64, reason: &str, raw: &Raw) -> Result<(), CliError> {
        self.counts.rejected += 1;
        let added = self.rejects.add(line, reason, raw, self.source.header());
        added.map_err(|error| unwritten(self.reject, &error))
    }
}

/// Rows that wait to be written together.
#[derive(Default)]
struct Batch {
    origins: Vec<(u64, Raw)>,
    rows: Vec<Row>,
    emails: HashSet<String>,
    ids: HashSet<String>,
}

impl Batch {
    fn has(&self, row: &Row) -> bool {
        self.emails.contains(&row.email) || row.id.as_ref().is_some_and(|id| self.ids.contains(id))
    }

    fn push(&mut self, line: u64, raw: Raw, row: Row) {
        self.emails.insert(row.email.clone());
        self.ids.extend(row.id.clone());
        self.origins.push((line, raw));
        self.rows.push(row);
    }
}

/// Addresses and ids of the rows that were taken, as eight bytes each: the one thing that grows with the file. Two of
/// ten million are taken for each other by a chance of one in 300 000, and then a row is rejected, not lost.
#[derive(Default)]
struct Seen {
    state: RandomState,
    emails: HashSet<u64>,
    ids: HashSet<u64>,
}

impl Seen {
    fn reason(&self, row: &Row) -> Option<&'static str> {
        if self.emails.contains(&self.state.hash_one(&row.email)) {
            return Some("the address is that of an earlier row");
        }
        let id = row.id.as_ref().map(|id| self.state.hash_one(id));
        id.is_some_and(|id| self.ids.contains(&id)).then_some("the id is that of an earlier row")
    }

    fn insert(&mut self, row: &Row) {
        self.emails.insert(self.state.hash_one(&row.email));
        self.ids.extend(row.id.as_ref().map(|id| self.state.hash_one(id)));
    }
}
