//! Values of settings, from their text. An error says what is wrong with the value as the end of
//! a sentence that begins with it.

use super::settings::Kind;

/// `true`, `1`, `on`, `yes` and their opposites, in any letter case.
pub(super) fn boolean(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "on" | "yes" => Ok(true),
        "false" | "0" | "off" | "no" => Ok(false),
        _ => Err("is neither true nor false".to_owned()),
    }
}

/// A whole number of the kind's unit (items, seconds or bytes) within the kind's range.
pub(super) fn number(kind: Kind, text: &str) -> Result<u32, String> {
    let (units, min, max): (&[(&str, u32)], u32, u32) = match kind {
        Kind::Number(min, max) => (&[], min, max),
        Kind::Seconds(min, max) => (&[("s", 1), ("m", 60), ("h", 3600), ("d", 86_400), ("w", 604_800)], min, max),
        Kind::Bytes(min, max) => (&[("kib", 1 << 10), ("mib", 1 << 20), ("b", 1)], min, max),
        _ => (&[], 0, u32::MAX),
    };
    let lower = text.to_ascii_lowercase();
    let (digits, factor) = units
        .iter()
        .find_map(|(unit, factor)| Some((lower.strip_suffix(unit)?.trim_end(), *factor)))
        .unwrap_or((&lower, 1));
    // `parse` alone would take a sign.
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let value = digits.parse::<u32>().ok().filter(|_| plain).and_then(|n| n.checked_mul(factor));
    value.filter(|value| (min..=max).contains(value)).ok_or_else(|| format!("is not {}", kind.article()))
}

/// One of the kind's words, in any letter case, in the table's spelling.
pub(super) fn choice(words: &[&'static str], text: &str) -> Result<&'static str, String> {
    words
        .iter()
        .find(|word| word.eq_ignore_ascii_case(text))
        .copied()
        .ok_or_else(|| format!("is none of {}", words.join(", ")))
}

/// The items of a comma list, trimmed, without blank ones.
pub(super) fn list(text: &str) -> Vec<String> {
    text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_seconds_or_have_a_unit() {
        let kind = Kind::Seconds(0, 34_560_000);
        let cases = [("90", 90), ("30s", 30), ("15m", 900), ("1h", 3600), ("7D", 604_800), ("2 w", 1_209_600)];
        for (text, seconds) in cases {
            assert_eq!(number(kind, text), Ok(seconds), "{text}");
        }
        for text in ["-1", "+1", "", "s", "1.5h", "1y", "34560001", "99999999999", "9999999w", "1e3"] {
            assert!(number(kind, text).is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_are_bytes_or_have_a_unit() {
        let kind = Kind::Bytes(1024, 1 << 24);
        for (text, bytes) in [("2048", 2048), ("2048B", 2048), ("256KiB", 262_144), ("1 mib", 1_048_576)] {
            assert_eq!(number(kind, text), Ok(bytes), "{text}");
        }
        for text in ["1023", "17MiB", "KiB", "1KB", "-1KiB"] {
            assert!(number(kind, text).is_err(), "{text}");
        }
    }

    #[test]
    fn booleans_have_eight_words() {
        for text in ["true", "1", "ON", "yes"] {
            assert_eq!(boolean(text), Ok(true), "{text}");
        }
        for text in ["false", "0", "off", "No"] {
            assert_eq!(boolean(text), Ok(false), "{text}");
        }
        for text in ["", "y", "enabled", "2"] {
            assert!(boolean(text).is_err(), "{text}");
        }
    }
}
