use std::cell::Cell;
use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use proptest::prelude::*;

use super::vectors::{BETTER_AUTH, CUT, DECOMPOSED, DIGITS_90, LONG, OWASP, PYTHON};
use super::*;

const BCRYPT: HashPolicy =
    HashPolicy { scheme: Scheme::Bcrypt, bcrypt_cost: 4, shared_with: SharedWith::Nobody, replaces: true };
const ARGON2ID: HashPolicy =
    HashPolicy { scheme: Scheme::Argon2id, bcrypt_cost: 4, shared_with: SharedWith::Nobody, replaces: true };
const SCRYPT: HashPolicy =
    HashPolicy { scheme: Scheme::Scrypt, bcrypt_cost: 4, shared_with: SharedWith::Nobody, replaces: true };
const POLICIES: [HashPolicy; 3] = [BCRYPT, ARGON2ID, SCRYPT];

const KEEP: Verdict = Verdict::Right { rehash: false };
const REHASH: Verdict = Verdict::Right { rehash: true };

/// Stored values no password may match.
const MALFORMED: &[&str] = &[
    "",
    "x",
    ":",
    "a:",
    "zz:zz",
    ":aa",
    "a:b:c",
    "é:é",
    "$",
    "$$$$$$",
    "$2b$",
    "$2b$99$",
    "$2b$10$short",
    "$2x$04$FNYYpdlHG3cvcZhhPvXgoOLRaQNiPyJx1PgwMj.QXDOyphm17Kdb2",
    "$2$04$FNYYpdlHG3cvcZhhPvXgoOLRaQNiPyJx1PgwMj.QXDOyphm17Kdb2",
    "$2b$03$FNYYpdlHG3cvcZhhPvXgoOLRaQNiPyJx1PgwMj.QXDOyphm17Kdb2",
    "$2b$+4$FNYYpdlHG3cvcZhhPvXgoOLRaQNiPyJx1PgwMj.QXDOyphm17Kdb2",
    "$2b$-4$FNYYpdlHG3cvcZhhPvXgoOLRaQNiPyJx1PgwMj.QXDOyphm17Kdb2",
    "$2b$04$FNYYpdlHG3cvcZhhPvXgoOLRaQNiPyJx1PgwMj.QXDOyphm17Kdb2x",
    "$2b$04$FNYYpdlHG3cvcZhhPvXg!!LRaQNiPyJx1PgwMj.QXDOyphm17Kdb2",
    "$2b$04$FNYYpdlHG3cvcZhhPvXgoéRaQNiPyJx1PgwMj.QXDOyphm17Kdb2",
    "$2b$04$FNYYpdlHG3cvcZhhPvXgoOLRaQNiPyJx1PgwMj.QXDOyphm17Kdb!",
    "$bcrypt-sha256$",
    "$bcrypt-sha256$v=2,t=2b,r=$akeib9OXqtxvVS9XjyvOXe$Vc8DShmJ9.yJcg6x/BCGGiCovFTfQWq",
    "$bcrypt-sha256$v=3,t=2b,r=4$akeib9OXqtxvVS9XjyvOXe$Vc8DShmJ9.yJcg6x/BCGGiCovFTfQWq",
    "$bcrypt-sha256$v=2,t=2b,r=4$akeib9OXqtxvVS9XjyvOXe",
    "$argon2id$",
    "$argon2id$v=19$m=64,t=1,p=1",
    "$argon2id$v=19$m=64,t=1,p=1$c2FsdHNhbHRzYWx0c2FsdA",
    "$argon2id$v=20$m=64,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA$GHU0lfah4Z47NVnt+oCBuveVrSNAjYqcCu0HjTJYABY",
    "$argon2id$v=19$m=4,t=0,p=0$c2FsdHNhbHRzYWx0c2FsdA$GHU0lfah4Z47NVnt+oCBuveVrSNAjYqcCu0HjTJYABY",
    "$argon2d$v=19$m=64,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA$GHU0lfah4Z47NVnt+oCBuveVrSNAjYqcCu0HjTJYABY",
    "$pbkdf2-sha256$29000$abc$def",
];

/// Stored values whose check would take minutes to hours, or gigabytes.
const TOO_EXPENSIVE: &[&str] = &[
    "$2b$16$FNYYpdlHG3cvcZhhPvXgoOLRaQNiPyJx1PgwMj.QXDOyphm17Kdb2",
    "$2b$31$FNYYpdlHG3cvcZhhPvXgoOLRaQNiPyJx1PgwMj.QXDOyphm17Kdb2",
    "$2b$99$FNYYpdlHG3cvcZhhPvXgoOLRaQNiPyJx1PgwMj.QXDOyphm17Kdb2",
    "$bcrypt-sha256$2b,31$Hy1rMKV.49nnxbdrDZPWCO$/XuQtMtttvbaQPq5oSoHxb50Y47tAR6",
    "$bcrypt-sha256$v=2,t=2b,r=31$akeib9OXqtxvVS9XjyvOXe$Vc8DShmJ9.yJcg6x/BCGGiCovFTfQWq",
    "$argon2id$v=19$m=4194304,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA$GHU0lfah4Z47NVnt+oCBuveVrSNAjYqcCu0HjTJYABY",
    "$argon2id$v=19$m=262145,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA$GHU0lfah4Z47NVnt+oCBuveVrSNAjYqcCu0HjTJYABY",
    "$argon2id$v=19$m=64,t=17,p=1$c2FsdHNhbHRzYWx0c2FsdA$GHU0lfah4Z47NVnt+oCBuveVrSNAjYqcCu0HjTJYABY",
    "$argon2id$v=19$m=1024,t=2,p=17$c2FsdHNhbHRzYWx0c2FsdA$GHU0lfah4Z47NVnt+oCBuveVrSNAjYqcCu0HjTJYABY",
];

fn refusal(stored: &str) -> Option<Refused> {
    Stored::parse(stored).err()
}

/// `text` with the character at `index` replaced by another.
fn with_other_char(text: &str, index: usize) -> String {
    text.chars()
        .enumerate()
        .map(|(i, c)| {
            if i != index {
                c
            } else if c == '!' {
                '?'
            } else {
                '!'
            }
        })
        .collect()
}

#[test]
fn every_python_hash_accepts_its_password_and_says_whether_to_rehash() {
    for row in PYTHON {
        let expected = Verdict::Right { rehash: row.rehash };
        assert_eq!(verify(&BCRYPT, row.password, row.stored), expected, "{}: {}", row.made_by, row.stored);
    }
}

#[test]
fn every_python_hash_refuses_a_password_that_differs_in_its_first_or_last_character() {
    for row in PYTHON {
        let last = row.password.chars().count() - 1;
        for index in if row.stored == CUT { vec![0, 71] } else { vec![0, last] } {
            let wrong = with_other_char(row.password, index);
            assert_eq!(verify(&BCRYPT, &wrong, row.stored), Verdict::Wrong, "{}: {}", row.made_by, row.stored);
        }
    }
}

#[test]
fn better_auth_hashes_are_those_of_the_contract() {
    for (password, salt, stored) in BETTER_AUTH {
        let normal = spellings(password).0;
        assert_eq!(make(&SCRYPT, normal.as_bytes(), *salt).unwrap(), *stored);
        assert_eq!(verify(&SCRYPT, password, stored), KEEP);
        assert_eq!(verify(&SCRYPT, &with_other_char(password, 0), stored), Verdict::Wrong);
    }
}

#[test]
fn better_auth_hashes_are_compared_in_lower_case_only() {
    let (password, _, stored) = BETTER_AUTH[0];
    let (salt, key) = stored.split_once(':').unwrap();
    assert_eq!(verify(&SCRYPT, password, &format!("{salt}:{}", key.to_uppercase())), Verdict::Wrong);
}

#[test]
fn long_passwords_are_stored_as_passlib_stores_them() {
    let salt = bcrypt_salt("xRiOZCMdDDFRtSWVNx/BpO");
    assert_eq!(make(&BCRYPT, DIGITS_90.as_bytes(), salt).unwrap(), LONG);
}

fn bcrypt_salt(text: &str) -> [u8; 16] {
    use base64::Engine as _;
    bcrypt::BASE_64.decode(text).unwrap().try_into().unwrap()
}

#[test]
fn new_hashes_have_the_form_of_their_scheme_and_a_fresh_salt() {
    for (policy, password, prefix, length) in [
        (BCRYPT, "correct horse battery", "$2b$04$", 60),
        (BCRYPT, DIGITS_90, "$bcrypt-sha256$v=2,t=2b,r=4$", 82),
        (ARGON2ID, "correct horse battery", "$argon2id$v=19$m=19456,t=2,p=1$", 97),
        (SCRYPT, "correct horse battery", "", 161),
    ] {
        let [first, second] = [hash(&policy, password).unwrap(), hash(&policy, password).unwrap()];
        assert!(first.starts_with(prefix) && first.len() == length, "{first}");
        assert_ne!(first, second);
        assert_eq!(verify(&policy, password, &first), KEEP);
        assert_eq!(verify(&policy, &with_other_char(password, 5), &first), Verdict::Wrong);
    }
}

#[test]
fn a_change_after_the_seventy_second_byte_is_refused() {
    // P12 and P13: 100 ASCII characters, and 128 times é.
    let ascii: String = DIGITS_90.chars().chain("abcdefghij".chars()).collect();
    let stored = hash(&BCRYPT, &ascii).unwrap();
    for index in 72..100 {
        assert_eq!(verify(&BCRYPT, &with_other_char(&ascii, index), &stored), Verdict::Wrong, "{index}");
    }
    let accents = "é".repeat(128);
    let stored = hash(&BCRYPT, &accents).unwrap();
    assert_eq!(verify(&BCRYPT, &accents, &stored), KEEP);
    assert_eq!(verify(&BCRYPT, &with_other_char(&accents, 127), &stored), Verdict::Wrong);
}

#[test]
fn no_password_around_seventy_two_bytes_opens_the_hash_of_a_longer_or_shorter_one() {
    let lengths = 70..=75;
    for stored_length in lengths.clone() {
        let stored = hash(&BCRYPT, &"a".repeat(stored_length)).unwrap();
        for length in lengths.clone() {
            let expected = if length == stored_length { KEEP } else { Verdict::Wrong };
            assert_eq!(verify(&BCRYPT, &"a".repeat(length), &stored), expected, "{length} for {stored_length}");
        }
    }
}

#[test]
fn an_imported_hash_that_cut_its_password_is_replaced_by_one_that_does_not() {
    // P14. The imported hash cannot tell a changed tail; the new one does.
    let other_tail = with_other_char(DIGITS_90, 80);
    assert_eq!(verify(&BCRYPT, &other_tail, CUT), REHASH);
    assert_eq!(verify(&BCRYPT, DIGITS_90, CUT), REHASH);
    let replaced = hash(&BCRYPT, DIGITS_90).unwrap();
    assert_eq!(verify(&BCRYPT, DIGITS_90, &replaced), KEEP);
    assert_eq!(verify(&BCRYPT, &other_tail, &replaced), Verdict::Wrong);
}

#[test]
fn a_password_is_the_same_in_every_form_that_nfkc_unites() {
    // P17: composed and decomposed é, the ligature ﬁ, full-width letters, the Ångström sign.
    let pairs =
        [("fiancé-9", "ﬁance\u{301}-9"), ("password", "ｐａｓｓｗｏｒｄ"), ("\u{c5}ngström", "\u{212b}ngstro\u{308}m")];
    for policy in POLICIES {
        for (one, other) in pairs {
            for (set, typed) in [(one, other), (other, one)] {
                let stored = hash(&policy, set).unwrap();
                assert_eq!(verify(&policy, typed, &stored), KEEP, "{} {set} {typed}", policy.scheme);
            }
        }
    }
}

#[test]
fn an_imported_hash_of_the_typed_form_is_replaced_by_one_of_the_nfkc_form() {
    let row = PYTHON.iter().find(|row| row.password == DECOMPOSED).unwrap();
    let composed = "p\u{e4}ssw\u{f6}rd";
    assert_eq!(verify(&BCRYPT, DECOMPOSED, row.stored), REHASH);
    assert_eq!(verify(&BCRYPT, composed, row.stored), Verdict::Wrong);
    let replaced = hash(&BCRYPT, DECOMPOSED).unwrap();
    assert_eq!(verify(&BCRYPT, composed, &replaced), KEEP);
}

#[test]
fn spaces_count() {
    // P18.
    for policy in POLICIES {
        let stored = hash(&policy, "        ").unwrap();
        assert_eq!(verify(&policy, "        ", &stored), KEEP);
        assert_eq!(verify(&policy, "         ", &stored), Verdict::Wrong);
        let stored = hash(&policy, "password").unwrap();
        for wrong in [" password", "password ", "pass word"] {
            assert_eq!(verify(&policy, wrong, &stored), Verdict::Wrong);
        }
    }
}

#[test]
fn nul_is_neither_hashed_nor_accepted() {
    for policy in POLICIES {
        for password in ["\0", "password\0", "pass\0word"] {
            assert_eq!(hash(&policy, password), Err(HashError::Nul));
        }
        // What bcrypt repeats into the same key.
        let stored = hash(&policy, "password1").unwrap();
        assert_eq!(verify(&policy, "password1\0password1", &stored), Verdict::Wrong);
    }
    // Even where it is what was hashed.
    let stored = make(&BCRYPT, b"password\0", [7; 16]).unwrap();
    assert_eq!(verify(&BCRYPT, "password\0", &stored), Verdict::Wrong);
}

#[test]
fn a_malformed_stored_hash_is_wrong_for_every_password() {
    for stored in MALFORMED {
        assert_eq!(refusal(stored), Some(Refused::Malformed), "{stored}");
        for password in ["correct horse battery", "", "x", "é"] {
            assert_eq!(verify(&BCRYPT, password, stored), Verdict::Wrong, "{stored}");
        }
    }
}

#[test]
fn a_stored_hash_above_the_caps_is_wrong_and_never_computed() {
    for stored in TOO_EXPENSIVE {
        assert_eq!(refusal(stored), Some(Refused::TooExpensive), "{stored}");
        for policy in POLICIES {
            assert_eq!(verify(&policy, "correct horse battery", stored), Verdict::Wrong, "{stored}");
        }
    }
}

#[test]
fn a_stored_hash_at_the_caps_is_read() {
    for stored in [
        "$2b$15$FNYYpdlHG3cvcZhhPvXgoOLRaQNiPyJx1PgwMj.QXDOyphm17Kdb2",
        "$argon2id$v=19$m=262144,t=16,p=16$c2FsdHNhbHRzYWx0c2FsdA$GHU0lfah4Z47NVnt+oCBuveVrSNAjYqcCu0HjTJYABY",
    ] {
        assert_eq!(refusal(stored), None, "{stored}");
    }
}

#[test]
fn a_refused_hash_raises_an_alarm_that_shows_neither_hash_nor_password() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_writer(move || writer.clone()).finish();
    tracing::subscriber::with_default(subscriber, || {
        for stored in [TOO_EXPENSIVE[0], "$2b$10$short"] {
            assert_eq!(verify(&BCRYPT, "correct horse battery", stored), Verdict::Wrong);
        }
    });
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert_eq!(log.matches("ERROR").count(), 2, "{log}");
    assert!(log.contains("above the cap") && log.contains("malformed"), "{log}");
    assert!(!log.contains("FNYYpdlHG3cvc") && !log.contains("short") && !log.contains("horse"), "{log}");
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn only_hashes_that_are_not_what_the_policy_makes_are_replaced() {
    let password = "correct horse battery";
    let costs = |bcrypt_cost| HashPolicy { bcrypt_cost, ..BCRYPT };
    let bcrypt_5 = hash(&costs(5), password).unwrap();
    let sha256_5 = hash(&costs(5), DIGITS_90).unwrap();
    let argon2id = hash(&ARGON2ID, password).unwrap();
    let scrypt = hash(&SCRYPT, password).unwrap();
    let made_by = |name: &str| PYTHON.iter().find(|row| row.made_by == name).unwrap().stored;
    for (policy, password, stored, expected) in [
        (costs(4), password, bcrypt_5.as_str(), KEEP),
        (costs(5), password, &bcrypt_5, KEEP),
        (costs(6), password, &bcrypt_5, REHASH),
        (ARGON2ID, password, &bcrypt_5, REHASH),
        (SCRYPT, password, &bcrypt_5, REHASH),
        (costs(4), DIGITS_90, &sha256_5, KEEP),
        (costs(6), DIGITS_90, &sha256_5, REHASH),
        (ARGON2ID, DIGITS_90, &sha256_5, REHASH),
        (BCRYPT, password, &argon2id, REHASH),
        (ARGON2ID, password, &argon2id, KEEP),
        (SCRYPT, password, &argon2id, REHASH),
        (ARGON2ID, password, OWASP, KEEP),
        (ARGON2ID, password, made_by("pwdlib 0.3.1 PasswordHash.recommended()"), REHASH),
        (ARGON2ID, password, made_by("argon2-cffi 25.1.0 low_level.hash_secret, version 0x10"), REHASH),
        (BCRYPT, password, &scrypt, REHASH),
        (ARGON2ID, password, &scrypt, REHASH),
        (SCRYPT, password, &scrypt, KEEP),
    ] {
        assert_eq!(verify(&policy, password, stored), expected, "{policy:?} {stored}");
    }
}

thread_local! {
    static WORK: Cell<u64> = const { Cell::new(0) };
}

/// Called with the work of each hash computed: bcrypt's rounds, argon2's KiB times passes, 1 for scrypt.
pub(super) fn count_work(units: u64) {
    WORK.set(WORK.get() + units);
}

fn work_of(run: impl FnOnce()) -> u64 {
    WORK.set(0);
    run();
    WORK.get()
}

#[test]
fn every_failing_path_does_exactly_the_work_of_one_hash_of_the_policy() {
    let costs = |bcrypt_cost| HashPolicy { bcrypt_cost, ..BCRYPT };
    let all = [costs(8), ARGON2ID, SCRYPT];
    // One hash for a password in NFKC form, two for another.
    let cases = [("correct horse", 1), (DECOMPOSED, 2)].map(|case| all.map(|policy| (policy, case)));
    let of_bcrypt = [(DIGITS_90, 1), ("nul\0", 1)].map(|case| (costs(8), case));
    for (policy, (password, times)) in cases.into_iter().flatten().chain(of_bcrypt) {
        let same = hash(&policy, "another password").unwrap();
        let expected = times * work_of(|| assert!(hash(&policy, "password").is_ok()));
        assert_eq!(work_of(|| burn(&policy, password)), expected, "{password}");
        for stored in [same.as_str(), "x", TOO_EXPENSIVE[1]] {
            let work = work_of(|| assert_eq!(verify(&policy, password, stored), Verdict::Wrong));
            assert_eq!(work, expected, "{password} {stored}");
        }
    }
    // Cheaper bcrypt hashes are topped up to the policy's cost; dearer ones cost what they cost.
    let rounds = |policy: HashPolicy, stored: &str| {
        work_of(|| assert_eq!(verify(&policy, "correct horse", stored), Verdict::Wrong))
    };
    for (cost, password) in [(4, "another password"), (7, "another password"), (4, DIGITS_90)] {
        let stored = hash(&costs(cost), password).unwrap();
        assert_eq!(rounds(costs(8), &stored), 256);
        assert_eq!(rounds(ARGON2ID, &stored), 1 << cost);
    }
    assert_eq!(rounds(costs(4), &hash(&costs(6), "another password").unwrap()), 64);
}

#[test]
fn an_argon2_hash_is_outdated_by_any_parameter() {
    let outdated = |stored: &str| argon2id::Hash::parse(stored).unwrap_or_else(|_| panic!("{stored}")).is_outdated();
    assert!(!outdated(OWASP));
    for (from, to) in [
        ("argon2id", "argon2i"),
        ("v=19", "v=16"),
        ("v=19$", ""),
        ("m=19456", "m=19457"),
        ("m=19456", "m=65536"),
        ("t=2", "t=1"),
        ("t=2", "t=3"),
        ("p=1", "p=2"),
        ("ZMETQy4", "ZME"),
    ] {
        assert!(OWASP.contains(from) && outdated(&OWASP.replace(from, to)), "{to}");
    }
}

#[test]
fn a_cost_out_of_range_makes_no_hash() {
    for bcrypt_cost in [0, 3, MAX_BCRYPT_COST + 1, 31, 32, u32::MAX] {
        for password in ["password", DIGITS_90] {
            assert_eq!(hash(&HashPolicy { bcrypt_cost, ..BCRYPT }, password), Err(HashError::Failed));
        }
    }
}

#[test]
fn a_scheme_is_read_from_the_name_it_prints() {
    for scheme in [Scheme::Bcrypt, Scheme::Argon2id, Scheme::Scrypt] {
        assert_eq!(scheme.to_string().parse(), Ok(scheme));
    }
    for name in ["", "Bcrypt", "argon2", "argon2i", "md5"] {
        assert_eq!(name.parse::<Scheme>(), Err(UnknownScheme));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_hash_opens_for_its_password_and_for_none_with_one_character_changed(
        characters in prop::collection::vec(any::<char>().prop_filter("NUL is refused", |c| *c != '\0'), 1..100),
        index in any::<prop::sample::Index>(),
        other in any::<char>(),
    ) {
        let password: String = characters.iter().collect();
        let mut changed = characters.clone();
        changed[index.index(characters.len())] = other;
        let changed: String = changed.iter().collect();
        let stored = hash(&BCRYPT, &password).unwrap();
        prop_assert_eq!(verify(&BCRYPT, &password, &stored), KEEP);
        if spellings(&changed).0 != spellings(&password).0 {
            prop_assert_eq!(verify(&BCRYPT, &changed, &stored), Verdict::Wrong);
        }
    }

    #[test]
    fn no_stored_text_panics_or_matches(stored in "\\PC{0,90}|\\$2[abxy]\\$[0-9]{2}\\$[./A-Za-z0-9é]{50,54}|\\$argon2id?\\$v=19\\$m=[0-9]{1,3},t=[0-9],p=[0-9]\\$[A-Za-z0-9+/]{0,24}\\$[A-Za-z0-9+/]{0,44}") {
        // Only parsed where it parses: a random bcrypt cost may be one that takes a second.
        if Stored::parse(&stored).is_err() {
            prop_assert_eq!(verify(&BCRYPT, "correct horse battery", &stored), Verdict::Wrong);
        }
    }
}
