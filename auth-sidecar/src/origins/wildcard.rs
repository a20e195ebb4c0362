//! Glob patterns, compiled once (upstream `utils/wildcard.mjs`, `wildcardMatch` with its default separator).

use regex::{Regex, escape};

/// A compiled, anchored, case-sensitive glob.
///
/// `*` is any run and `?` any one of the characters besides `/` and `\`; a segment `**` crosses slashes; `\` takes the
/// next character literally; slashes may be doubled, and may trail. The time of a match is linear in the text.
#[derive(Clone, Debug)]
pub(crate) struct Glob(Option<Regex>);

impl Glob {
    /// Compiles `pattern`. One too large to compile (thousands of wildcards) matches nothing.
    pub(crate) fn new(pattern: &str) -> Self {
        Self(Regex::new(&to_regex(pattern)).ok())
    }

    /// Whether the whole of `text` matches.
    pub(crate) fn matches(&self, text: &str) -> bool {
        self.0.as_ref().is_some_and(|regex| regex.is_match(text))
    }
}

/// Upstream `transform`, step by step; greediness is left out, as only "match or not" is asked.
fn to_regex(pattern: &str) -> String {
    const SEPARATOR: &str = r"[/\\]";
    const WILDCARD: &str = r"[^/\\]";
    let mut regex = String::from(r"\A");
    let mut segments = pattern.split('/').enumerate().peekable();
    while let Some((position, segment)) = segments.next() {
        if segment.is_empty() && position > 0 {
            continue;
        }
        let separator = match segments.peek() {
            None => format!("{SEPARATOR}*"),
            Some((_, "**")) => String::new(),
            Some(_) => format!("{SEPARATOR}+"),
        };
        if segment == "**" {
            if !separator.is_empty() {
                let before = if position == 0 { "" } else { &separator };
                regex.push_str(&format!("{before}(?:{WILDCARD}*{separator})*"));
            }
            continue;
        }
        let mut characters = segment.chars();
        while let Some(character) = characters.next() {
            match character {
                '?' => regex.push_str(WILDCARD),
                '*' => regex.push_str(&format!("{WILDCARD}*")),
                '\\' => regex.extend(characters.next().map(|escaped| escape(&escaped.to_string()))),
                literal => regex.push_str(&escape(&literal.to_string())),
            }
        }
        regex.push_str(&separator);
    }
    regex.push_str(r"\z");
    regex
}
