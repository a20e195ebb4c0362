//! `auth-sidecar users export`: all users, page by page, as `users import` reads them.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use schema::accounts::{self, WholeUser};
use serde_json::{Map, Value};

use super::columns::{Format, members, names, patient};
use super::fields::to_text;
use super::ready_database;
use crate::cli::CliError;
use crate::config::Config;
use crate::wire;

/// Users of one query.
const PAGE: i64 = 1000;

/// Where to, and what.
#[derive(clap::Args)]
pub struct Args {
    /// The file to make; standard output without it or with `-`
    file: Option<PathBuf>,
    /// The form, when the file's name does not tell; CSV otherwise
    #[arg(long)]
    format: Option<Format>,
    /// With the hashes of the passwords: whoever has the file can try to guess them
    #[arg(long)]
    hashes: bool,
}

/// Writes every user. A file has its name only when it is complete.
pub async fn export(config: &Config, args: Args) -> Result<(), CliError> {
    let path = args.file.as_deref().filter(|path| *path != Path::new("-"));
    let name = path.map(|path| path.display().to_string()).unwrap_or_default();
    let format = Format::of(args.format, &name).unwrap_or(Format::Csv);
    let Some(path) = path else {
        let count = write(config, io::stdout().lock(), format, args.hashes).await?;
        eprintln!("users exported: {count}");
        return Ok(());
    };
    if path.exists() {
        return Err(CliError::Failed(format!("{name} exists already")));
    }
    let partial = PathBuf::from(format!("{name}.partial"));
    let failed = |error: io::Error| CliError::Failed(format!("{}: {error}", partial.display()));
    let file = private_file(&partial).map_err(failed)?;
    let count = write(config, &file, format, args.hashes).await?;
    file.sync_all().and_then(|()| fs::rename(&partial, path)).map_err(failed)?;
    eprintln!("users exported: {count}");
    Ok(())
}

/// A new file that only its owner can read, in place of one that was left behind.
pub fn private_file(path: &Path) -> io::Result<File> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

async fn write(config: &Config, target: impl Write, format: Format, hashes: bool) -> Result<u64, CliError> {
    let db = ready_database(&patient(config)).await?;
    let names = names(&config.fields.user, hashes);
    let mut writer = Writer::new(target, format, &names).map_err(unwritten)?;
    let (mut count, mut after) = (0, String::new());
    loop {
        let from = after.clone();
        let page = db.read(move |conn| accounts::list_whole_users(conn, &from, PAGE)).await?;
        let Some(last) = page.last() else { break };
        after.clone_from(&last.user.id);
        for WholeUser { user, hash, banned, ban } in page {
            let mut members = members(&config.fields, &user);
            members.insert("banned".to_owned(), (banned == Some(true)).into());
            members.insert("ban_reason".to_owned(), ban.reason.into());
            members.insert("ban_expires".to_owned(), ban.until.map(wire::date).into());
            if hashes {
                members.insert("password_hash".to_owned(), hash.into());
            }
            writer.user(&names, members).map_err(unwritten)?;
            count += 1;
        }
    }
    writer.end().map_err(unwritten)?;
    Ok(count)
}

fn unwritten(error: io::Error) -> CliError {
    CliError::Failed(format!("the export cannot be written: {error}"))
}

enum Writer<W: Write> {
    Csv(Box<csv::Writer<W>>),
    JsonLines(BufWriter<W>),
}

impl<W: Write> Writer<W> {
    fn new(target: W, format: Format, names: &[String]) -> io::Result<Self> {
        Ok(match format {
            Format::Csv => {
                let mut writer = csv::Writer::from_writer(target);
                writer.write_record(names).map_err(io::Error::other)?;
                Self::Csv(Box::new(writer))
            }
            Format::Jsonl => Self::JsonLines(BufWriter::new(target)),
        })
    }

    fn user(&mut self, names: &[String], mut members: Map<String, Value>) -> io::Result<()> {
        // In the order of the names, which is that of the header.
        let values = names.iter().map(|name| (name, members.remove(name).unwrap_or_default()));
        match self {
            Self::Csv(writer) => {
                writer.write_record(values.map(|(_, value)| to_text(&value))).map_err(io::Error::other)
            }
            Self::JsonLines(writer) => {
                let object: Map<String, Value> = values.map(|(name, value)| (name.clone(), value)).collect();
                writeln!(writer, "{}", Value::Object(object))
            }
        }
    }

    fn end(self) -> io::Result<()> {
        match self {
            Self::Csv(mut writer) => writer.flush(),
            Self::JsonLines(mut writer) => writer.flush(),
        }
    }
}
