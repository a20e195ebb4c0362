//! Tests of the cookie module, by topic; the vectors were made by the real server under [`SECRET`].

mod cache;
mod parse;
mod sessions;
mod wire;

use serde_json::{Map, Value};

use crate::secrets::{Secret, Secrets};

const SECRET: &str = "contract-lab-secret-0123456789abcdefghijklmnop";
const TOKEN: &str = "A6EwOvdy8Wd7aGzneUk83qf4eZdHXi2F";
const SIGNED_TOKEN: &str = "A6EwOvdy8Wd7aGzneUk83qf4eZdHXi2F.vgDT7yqEQ5sUxqXY6m7wH4EIMj27m9do9zyUcfXDv8Y%3D";
const SIGNED_TRUE: &str = "true.Tazt10q%2Fi%2B%2FITrWRiAHTHiwhNABkwhsPiEHH%2FrmfJf4%3D";
/// 2030-01-01T00:00:00Z.
const NOW_MS: i64 = 1_893_456_000_000;

const SESSION: &str = r#"{"expiresAt":"2030-01-08T00:00:00.000Z","token":"A6EwOvdy8Wd7aGzneUk83qf4eZdHXi2F","createdAt":"2030-01-01T00:00:00.000Z","updatedAt":"2030-01-01T00:00:00.000Z","ipAddress":"","userAgent":"","userId":"u1","id":"s1"}"#;
const USER: &str = r#"{"name":"Ann","email":"ann@example.com","emailVerified":false,"image":null,"createdAt":"2030-01-01T00:00:00.000Z","updatedAt":"2030-01-01T00:00:00.000Z","id":"u1"}"#;

fn secret() -> Secret {
    Secret::new(SECRET)
}

fn secrets() -> Secrets {
    Secrets::single(secret())
}

fn object(json: &str) -> Map<String, Value> {
    serde_json::from_str(json).unwrap()
}
