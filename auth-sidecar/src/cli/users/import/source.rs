//! The file, row by row, without ever holding more than one row.

use std::io::{self, BufRead as _, BufReader, Read};

use csv::ByteRecord;
use serde_json::{Map, Value};

use super::row::Row;
use crate::cli::shown;
use crate::cli::users::columns::{Column, Format, named, names};
use crate::cli::users::fields::from_text;
use crate::fields::Field;

/// The most bytes of a row: far more than all columns may hold. A quote that is never closed would make one row of the
/// rest of the file.
const MAX_ROW: usize = 4 * 1024 * 1024;
const BUFFER: usize = 64 * 1024;

/// What a row was read from, for the reject file.
pub enum Raw {
    Csv(ByteRecord),
    Json(Vec<u8>),
}

/// A row, understood or not.
pub struct Record {
    /// The line it begins on, from 1.
    pub line: u64,
    pub raw: Raw,
    pub row: Result<Row, String>,
}

/// A file of users.
pub struct Source<'a> {
    fields: &'a [Field],
    ignore_unknown: bool,
    kind: Kind<'a>,
}

enum Kind<'a> {
    Csv { reader: Box<csv::Reader<Bounded>>, header: ByteRecord, columns: Vec<Column<'a>>, ahead: u64 },
    Json { reader: BufReader<Bounded>, line: u64 },
}

impl<'a> Source<'a> {
    /// Reads the header, if the form has one.
    ///
    /// # Errors
    /// A file that cannot be read, or a header that does not tell what the columns are.
    pub fn open(
        input: Box<dyn Read>,
        format: Format,
        fields: &'a [Field],
        ignore_unknown: bool,
    ) -> Result<Self, String> {
        let input = Bounded::new(input);
        let kind = match format {
            Format::Jsonl => Kind::Json { reader: BufReader::with_capacity(BUFFER, input), line: 0 },
            Format::Csv => {
                let mut builder = csv::ReaderBuilder::new();
                builder.has_headers(false).flexible(true).buffer_capacity(BUFFER);
                let mut reader = Box::new(builder.from_reader(input));
                let mut header = ByteRecord::new();
                if !reader.read_byte_record(&mut header).map_err(|error| unread(&error))? {
                    return Err("the file is empty: its first row names the columns".to_owned());
                }
                let columns = columns(&header, fields, ignore_unknown)?;
                let ahead = reader.position().line();
                Kind::Csv { reader, header, columns, ahead }
            }
        };
        Ok(Self { fields, ignore_unknown, kind })
    }

    /// The header of CSV.
    pub fn header(&self) -> Option<&ByteRecord> {
        match &self.kind {
            Kind::Csv { header, .. } => Some(header),
            Kind::Json { .. } => None,
        }
    }

    /// Bytes read up to now, a little ahead of the rows.
    pub fn bytes(&self) -> u64 {
        match &self.kind {
            Kind::Csv { reader, .. } => reader.get_ref().total,
            Kind::Json { reader, .. } => reader.get_ref().total,
        }
    }

    /// The next row; `None` at the end.
    ///
    /// # Errors
    /// Where the file cannot be read any further.
    pub fn next(&mut self) -> Result<Option<Record>, String> {
        match &mut self.kind {
            Kind::Csv { reader, columns, ahead, .. } => {
                reader.get_mut().left = MAX_ROW;
                let mut record = ByteRecord::new();
                if !reader.read_byte_record(&mut record).map_err(|error| unread(&error))? {
                    return Ok(None);
                }
                let line = first_line(reader, &record, ahead);
                let row = csv_cells(&record, columns).and_then(Row::parse);
                Ok(Some(Record { line, raw: Raw::Csv(record), row }))
            }
            Kind::Json { reader, line } => {
                while let Some((mut text, whole)) = next_line(reader, line).map_err(|error| error.to_string())? {
                    // The mark of UTF-8.
                    if *line == 1 && text.starts_with(b"\xef\xbb\xbf") {
                        text.drain(..3);
                    }
                    if text.trim_ascii().is_empty() {
                        continue;
                    }
                    let row = if whole {
                        json_cells(&text, self.fields, self.ignore_unknown).and_then(Row::parse)
                    } else {
                        Err(format!("the line is longer than {MAX_ROW} bytes"))
                    };
                    return Ok(Some(Record { line: *line, raw: Raw::Json(text), row }));
                }
                Ok(None)
            }
        }
    }
}

/// What the header's columns are.
fn columns<'a>(header: &ByteRecord, fields: &'a [Field], ignore_unknown: bool) -> Result<Vec<Column<'a>>, String> {
    let (mut columns, mut unknown) = (Vec::new(), Vec::new());
    for name in header {
        // The reader drops the mark of UTF-8 itself, when it comes in one piece.
        let name = String::from_utf8_lossy(name);
        let name = name.trim_start_matches('\u{feff}');
        match named(fields, name) {
            Some(Column::Ignored) => columns.push(Column::Ignored),
            Some(column) if columns.contains(&column) => {
                return Err(format!("the column {} is there twice", shown(name)));
            }
            Some(column) => columns.push(column),
            None if ignore_unknown => columns.push(Column::Ignored),
            None => unknown.push(shown(name)),
        }
    }
    let known = || names(fields, true).join(", ");
    if !columns.contains(&Column::Email) {
        return Err(format!(
            "the first row does not name the column email; it names, with commas, some of {}",
            known()
        ));
    }
    if !unknown.is_empty() {
        let unknown = unknown.join(", ");
        return Err(format!(
            "unknown columns: {unknown}. Known are {}; leave the others out with --ignore-unknown",
            known()
        ));
    }
    Ok(columns)
}

fn csv_cells<'a>(record: &ByteRecord, columns: &[Column<'a>]) -> Result<Vec<(Column<'a>, Value)>, String> {
    if record.len() != columns.len() {
        return Err(format!("the row has {} values, the header {}", record.len(), columns.len()));
    }
    let cell = |(column, bytes): (&Column<'a>, &[u8])| {
        let text = std::str::from_utf8(bytes).map_err(|_| "the row is not UTF-8".to_owned())?;
        let value = match column {
            Column::Field(field) => from_text(field, text),
            _ => Value::String(text.to_owned()),
        };
        Ok((*column, value))
    };
    columns.iter().zip(record).map(cell).collect()
}

fn json_cells<'a>(text: &[u8], fields: &'a [Field], ignore_unknown: bool) -> Result<Vec<(Column<'a>, Value)>, String> {
    // The parser's own words may hold what it met.
    let parsed: Value = serde_json::from_slice(text)
        .map_err(|error| format!("the line is not JSON from column {} on", error.column()))?;
    let Value::Object(object) = parsed else { return Err("the line is not a JSON object".to_owned()) };
    let mut cells: Vec<(Column<'a>, Value)> = Vec::new();
    for (key, value) in object {
        match named(fields, &key) {
            Some(Column::Ignored) => {}
            Some(column) if cells.iter().any(|(other, _)| *other == column) => {
                return Err(format!("{} is given twice", shown(&key)));
            }
            Some(column) => cells.push((column, value)),
            None if ignore_unknown => {}
            None => return Err(format!("there is no column {}; --ignore-unknown leaves it out", shown(&key))),
        }
    }
    Ok(cells)
}

/// The line a row begins on. The reader counts line ends as it meets them; `ahead` is its count before this row. After
/// `\r\n` it has not met the `\n` yet, and it passes blank lines by.
fn first_line(reader: &csv::Reader<Bounded>, record: &ByteRecord, ahead: &mut u64) -> u64 {
    let crlf = reader.get_ref().crlf == Some(true);
    let inside = record.as_slice().iter().filter(|byte| **byte == b'\n').count();
    let inside = u64::try_from(inside).unwrap_or_default();
    let behind = std::mem::replace(ahead, reader.position().line());
    let own_end = u64::from(!crlf);
    (behind + u64::from(crlf)).max(ahead.saturating_sub(inside + own_end))
}

/// The next line, and whether it is whole: of one that is too long only the beginning is kept.
fn next_line(reader: &mut BufReader<Bounded>, line: &mut u64) -> io::Result<Option<(Vec<u8>, bool)>> {
    reader.get_mut().left = usize::MAX;
    let mut text = Vec::new();
    let most = u64::try_from(MAX_ROW).unwrap_or(u64::MAX);
    if reader.by_ref().take(most).read_until(b'\n', &mut text)? == 0 {
        return Ok(None);
    }
    *line += 1;
    let whole = text.len() < MAX_ROW || text.ends_with(b"\n");
    if !whole {
        reader.skip_until(b'\n')?;
    }
    while text.last().is_some_and(|byte| matches!(byte, b'\n' | b'\r')) {
        text.pop();
    }
    Ok(Some((text, whole)))
}

fn unread(error: &csv::Error) -> String {
    match error.kind() {
        csv::ErrorKind::Io(error) => error.to_string(),
        // No other arises from rows of bytes of any number.
        _ => "the file is not CSV".to_owned(),
    }
}

/// A file as JSON object of a rejected line, as far as it is one.
pub fn object_of(text: &[u8]) -> Option<Map<String, Value>> {
    match serde_json::from_slice(text) {
        Ok(Value::Object(object)) => Some(object),
        _ => None,
    }
}

/// A reader that gives no more than a row may have.
struct Bounded {
    input: Box<dyn Read>,
    left: usize,
    total: u64,
    /// Whether the first line ends with `\r\n`.
    crlf: Option<bool>,
    last: u8,
}

impl Bounded {
    fn new(input: Box<dyn Read>) -> Self {
        Self { input, left: MAX_ROW, total: 0, crlf: None, last: 0 }
    }
}

impl Read for Bounded {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            return Err(io::Error::other(format!("a row is longer than {MAX_ROW} bytes: is a quote never closed?")));
        }
        let count = self.input.read(buffer)?;
        self.left = self.left.saturating_sub(count);
        self.total = self.total.saturating_add(u64::try_from(count).unwrap_or_default());
        let read = buffer.get(..count).unwrap_or_default();
        if self.crlf.is_none()
            && let Some(end) = read.iter().position(|byte| *byte == b'\n')
        {
            let before = end.checked_sub(1).and_then(|index| read.get(index)).copied().unwrap_or(self.last);
            self.crlf = Some(before == b'\r');
        }
        self.last = read.last().copied().unwrap_or(self.last);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fields::FieldRegistry;

    /// Line, and address or reason, of every row.
    fn rows(text: &[u8], format: Format) -> Vec<(u64, Result<String, String>)> {
        let registry = FieldRegistry::default();
        let input = Box::new(io::Cursor::new(text.to_vec()));
        let mut source = Source::open(input, format, &registry.user, false).unwrap();
        let mut rows = Vec::new();
        while let Some(record) = source.next().unwrap() {
            rows.push((record.line, record.row.map(|row| row.email)));
        }
        rows
    }

    fn refused(text: &str) -> String {
        let registry = FieldRegistry::default();
        let input = Box::new(io::Cursor::new(text.as_bytes().to_vec()));
        Source::open(input, Format::Csv, &registry.user, false).err().unwrap_or_default()
    }

    fn good(line: u64, email: &str) -> (u64, Result<String, String>) {
        (line, Ok(email.to_owned()))
    }

    #[test]
    fn csv_rows_know_their_line_whatever_ends_the_lines() {
        let lf = "\u{feff}email,name\na@b.co,\"x\ny, \"\"z\"\"\"\n\n\nb@b.co,Ü\nc@b.co,\"\n\"";
        let expected = [good(2, "a@b.co"), good(6, "b@b.co"), good(7, "c@b.co")];
        assert_eq!(rows(lf.as_bytes(), Format::Csv), expected);
        assert_eq!(rows(format!("{lf}\n").as_bytes(), Format::Csv), expected);
        let crlf = lf.replace('\n', "\r\n");
        assert_eq!(rows(crlf.as_bytes(), Format::Csv), expected);
        assert_eq!(rows(format!("{crlf}\r\n").as_bytes(), Format::Csv), expected);
    }

    #[test]
    fn csv_rows_of_another_length_or_encoding_are_rejected_alone() {
        let text = b"email,name\na@b.co\nb@b.co,x,y\nc@b.co,\xff\nd@b.co,x\n";
        let reasons: Vec<_> =
            rows(text, Format::Csv).into_iter().map(|(line, row)| (line, row.unwrap_or_else(|r| r))).collect();
        assert_eq!(
            reasons,
            [
                (2, "the row has 1 values, the header 2".to_owned()),
                (3, "the row has 3 values, the header 2".to_owned()),
                (4, "the row is not UTF-8".to_owned()),
                (5, "d@b.co".to_owned()),
            ]
        );
    }

    #[test]
    fn a_header_that_does_not_tell_enough_is_refused() {
        assert!(refused("").contains("is empty"));
        assert!(refused("name\nx\n").contains("email"));
        assert!(refused("email;name\n").contains("with commas"));
        assert!(refused("email,E-Mail\n").contains("twice"));
        let unknown = refused("email,hashed_password,is_superuser\n");
        assert!(unknown.contains("hashed_password, is_superuser") && unknown.contains("password_hash"), "{unknown}");
        assert_eq!(refused("email,softwareBackground,reject_line,reject_reason\n"), "");
    }

    #[test]
    fn json_lines_are_rejected_alone_and_never_quoted() {
        let text = "\u{feff}{\"email\":\"a@b.co\",\"emailVerified\":true}\r\n\n\"$2b$04$secret\"\n{\"email\":\n\
                    {\"email\":\"b@b.co\",\"wage\":1}\n{\"email\":\"b@b.co\",\"Email\":\"c@b.co\"}\n{\"email\":\"d@b.co\"}";
        let found: Vec<_> = rows(text.as_bytes(), Format::Jsonl)
            .into_iter()
            .map(|(line, row)| (line, row.unwrap_or_else(|r| r)))
            .collect();
        let expected = [
            (1, "a@b.co"),
            (3, "the line is not a JSON object"),
            (4, "the line is not JSON from column 9 on"),
            (5, "there is no column wage; --ignore-unknown leaves it out"),
            (6, "Email is given twice"),
            (7, "d@b.co"),
        ];
        assert_eq!(found, expected.map(|(line, text)| (line, text.to_owned())));
    }

    #[test]
    fn a_row_without_end_is_not_read_into_memory() {
        let long = "x".repeat(MAX_ROW + BUFFER);
        let registry = FieldRegistry::default();
        let text = format!("email,name\na@b.co,\"{long}{long}\n");
        let input = Box::new(io::Cursor::new(text.into_bytes()));
        let mut source = Source::open(input, Format::Csv, &registry.user, false).unwrap();
        assert!(source.next().is_err_and(|error| error.contains("quote")));

        let text = format!("{{\"email\":\"a@b.co\",\"name\":\"{long}\"}}\n{{\"email\":\"b@b.co\"}}\n");
        let found = rows(text.as_bytes(), Format::Jsonl);
        assert_eq!(found[0], (1, Err(format!("the line is longer than {MAX_ROW} bytes"))));
        assert_eq!(found[1], good(2, "b@b.co"));
    }
}
