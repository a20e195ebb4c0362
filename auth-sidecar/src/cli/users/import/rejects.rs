//! Where the rows go that are not imported: a file of the same form, with line and reason in front, that can be
//! corrected and imported itself.

use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::path::Path;

use csv::ByteRecord;
use serde_json::{Map, Value};

use super::source::{Raw, object_of};
use crate::cli::users::columns::{REJECT_LINE, REJECT_REASON};
use crate::cli::users::export::private_file;

/// Reasons told on standard error when there is no file for them.
const TOLD: u64 = 20;

/// The rejected rows.
pub struct Rejects {
    target: Target,
    /// How many there were.
    pub count: u64,
}

enum Target {
    Stderr,
    Csv(Box<csv::Writer<File>>),
    JsonLines(BufWriter<File>),
}

impl Rejects {
    /// To `path`, a new file that only its owner can read, or to standard error. `header` is that of CSV.
    ///
    /// # Errors
    /// When the file cannot be made, or is one that no import made.
    pub fn open(path: Option<&Path>, header: Option<&ByteRecord>) -> io::Result<Self> {
        let Some(path) = path else { return Ok(Self { target: Target::Stderr, count: 0 }) };
        if !is_ours(path)? {
            return Err(io::Error::other("the file is there already and was not made by an import"));
        }
        let file = private_file(path)?;
        let target = match header {
            Some(header) => {
                let mut writer = csv::WriterBuilder::new().flexible(true).from_writer(file);
                let own = [REJECT_LINE.as_bytes(), REJECT_REASON.as_bytes()];
                let names = header.iter().filter(|name| !is_own(name));
                writer.write_record(own.into_iter().chain(names)).map_err(io::Error::other)?;
                // An import that is killed leaves a file that the next one may replace.
                writer.flush()?;
                Target::Csv(Box::new(writer))
            }
            None => Target::JsonLines(BufWriter::new(file)),
        };
        Ok(Self { target, count: 0 })
    }

    /// Notes a row; `reason` holds no value of it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn add(&mut self, line: u64, reason: &str, raw: &Raw, header: Option<&ByteRecord>) -> io::Result<()> {
        self.count += 1;
        match (&mut self.target, raw) {
            (Target::Csv(writer), Raw::Csv(record)) => {
                let line = line.to_string();
                let own = [line.as_bytes(), reason.as_bytes()];
                let cells = record
                    .iter()
                    .enumerate()
                    .filter(|(index, _)| !header.and_then(|header| header.get(*index)).is_some_and(is_own));
                writer.write_record(own.into_iter().chain(cells.map(|(_, cell)| cell))).map_err(io::Error::other)
            }
            (Target::JsonLines(writer), Raw::Json(text)) => {
                let mut object = Map::new();
                object.insert(REJECT_LINE.to_owned(), line.into());
                object.insert(REJECT_REASON.to_owned(), reason.into());
                match object_of(text) {
                    Some(members) => {
                        object.extend(members.into_iter().filter(|(key, _)| !is_own(key.as_bytes())));
                        writeln!(writer, "{}", Value::Object(object))
                    }
                    // What is no object cannot be told member by member: it follows as it was.
                    None => {
                        writeln!(writer, "{}", Value::Object(object))?;
                        writer.write_all(text)?;
                        writeln!(writer)
                    }
                }
            }
            _ => {
                if self.count <= TOLD {
                    eprintln!("line {line}: {reason}");
                } else if self.count == TOLD + 1 {
                    eprintln!("more rows are rejected; --reject FILE keeps them with their reasons");
                }
                Ok(())
            }
        }
    }

    /// Everything noted is in the file now.
    ///
    /// # Errors
    /// When it is not.
    pub fn flush(&mut self) -> io::Result<()> {
        match &mut self.target {
            Target::Stderr => Ok(()),
            Target::Csv(writer) => writer.flush(),
            Target::JsonLines(writer) => writer.flush(),
        }
    }
}

fn is_own(name: &[u8]) -> bool {
    [REJECT_LINE, REJECT_REASON].iter().any(|own| own.as_bytes() == name.trim_ascii())
}

/// Whether a file may be replaced: it is not there, empty, or begins as a file of rejected rows does.
fn is_ours(path: &Path) -> io::Result<bool> {
    let mut beginning = Vec::new();
    match File::open(path) {
        Ok(file) => file.take(32).read_to_end(&mut beginning)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
        Err(error) => return Err(error),
    };
    let text = String::from_utf8_lossy(&beginning);
    Ok(text.is_empty() || text.trim_start_matches(['{', '"']).starts_with(REJECT_LINE))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn only_an_own_file_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rejects.csv");
        let header = ByteRecord::from(vec!["email", "name"]);
        for (text, ours) in [("", true), ("reject_line,x\n", true), ("{\"reject_line\":1}\n", true), ("email\n", false)]
        {
            fs::write(&path, text).unwrap();
            assert_eq!(Rejects::open(Some(&path), Some(&header)).is_ok(), ours, "{text}");
        }
        assert_eq!(fs::read_to_string(&path).unwrap(), "email\n");
    }

    #[test]
    fn rejected_rows_are_kept_with_line_and_reason() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rejects");
        let header = ByteRecord::from(vec!["reject_line", "email", "name"]);
        let mut rejects = Rejects::open(Some(&path), Some(&header)).unwrap();
        let row = Raw::Csv(ByteRecord::from(vec!["3", "a@b", "x,\"y\""]));
        rejects.add(7, "no, \"not\"", &row, Some(&header)).unwrap();
        rejects.flush().unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text, "reject_line,reject_reason,email,name\n7,\"no, \"\"not\"\"\",a@b,\"x,\"\"y\"\"\"\n");

        let mut rejects = Rejects::open(Some(&path), None).unwrap();
        for (line, text) in [(1, "{\"reject_line\":9,\"email\":\"a@b\"}"), (2, "{\"email\":")] {
            rejects.add(line, "no", &Raw::Json(text.as_bytes().to_vec()), None).unwrap();
        }
        rejects.flush().unwrap();
        let lines = [
            "{\"reject_line\":1,\"reject_reason\":\"no\",\"email\":\"a@b\"}",
            "{\"reject_line\":2,\"reject_reason\":\"no\"}",
            "{\"email\":",
        ];
        assert_eq!(fs::read_to_string(&path).unwrap().lines().collect::<Vec<_>>(), lines);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }
}
