//! Random values: row ids and tokens, of the lengths and alphabets of the contract
//! (`@better-auth/core/utils/id` `generateId`, `crypto/random` `generateRandomString`).

use rand::RngExt as _;
use schema::{Adoption, Db, DbError, IdKind, adoption};

const ALPHANUMERIC: &[u8; 62] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

/// A row id or session token: 32 characters of `a-z A-Z 0-9`, 190 bits of entropy.
#[must_use]
pub fn generate_id() -> String {
    random_string(32)
}

/// The id of a row to be made: of the kind that the table has, which is another than ours where it was adopted.
///
/// # Errors
/// When the database, which counts the ids of some adopted tables, fails.
pub async fn new_id(db: &Db, adoption: Option<&Adoption>, table: &'static str) -> Result<String, DbError> {
    match adoption.map_or(IdKind::Text, |adoption| adoption.ids(table)) {
        IdKind::Text => Ok(generate_id()),
        IdKind::Uuid => Ok(generate_uuid()),
        IdKind::UuidHex => Ok(generate_uuid().replace('-', "")),
        IdKind::Number => db.write(move |conn| adoption::next_id(conn, table)).await,
    }
}

/// A random UUID (RFC 9562, version 4).
#[must_use]
pub fn generate_uuid() -> String {
    let bits: u128 = rand::rng().random();
    format!(
        "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
        bits >> 96,
        (bits >> 80) & 0xffff,
        (bits >> 64) & 0x0fff,
        ((bits >> 48) & 0x3fff) | 0x8000,
        bits & 0xffff_ffff_ffff
    )
}

/// `length` characters of `a-z A-Z 0-9`, drawn without bias from the operating system's generator
/// (through `rand`'s reseeding ChaCha generator).
#[must_use]
pub fn random_string(length: usize) -> String {
    draw(length, ALPHANUMERIC)
}

/// `length` characters of `0-9 a-z`, drawn in the same way.
#[must_use]
pub fn random_lowercase(length: usize) -> String {
    draw(length, b"0123456789abcdefghijklmnopqrstuvwxyz")
}

/// `length` characters of `a-z A-Z`, drawn in the same way.
#[must_use]
pub fn random_letters(length: usize) -> String {
    draw(length, b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
}

/// `length` characters of `a-z 0-9 A-Z - _`, drawn in the same way.
#[must_use]
pub fn random_url_safe(length: usize) -> String {
    draw(length, b"abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ-_")
}

/// `length` digits, drawn in the same way.
#[must_use]
pub fn random_digits(length: usize) -> String {
    draw(length, b"0123456789")
}

fn draw(length: usize, alphabet: &[u8]) -> String {
    let mut rng = rand::rng();
    (0..length).filter_map(|_| alphabet.get(rng.random_range(0..alphabet.len())).copied().map(char::from)).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};

    use super::*;

    #[test]
    fn ten_thousand_ids_never_repeat_and_use_the_whole_alphabet_evenly() {
        let ids: Vec<String> = (0..10_000).map(|_| generate_id()).collect();
        assert_eq!(ids.iter().collect::<HashSet<_>>().len(), ids.len());
        let mut counts: HashMap<char, u32> = HashMap::new();
        for c in ids.iter().flat_map(|id| id.chars()) {
            *counts.entry(c).or_default() += 1;
        }
        assert_eq!(counts.len(), 62);
        // 320 000 characters over 62: 5161 each; a modulo bias of a byte would give some letters a quarter more.
        for (c, n) in counts {
            assert!((4700..5650).contains(&n), "{c} came {n} times");
        }
    }
}
