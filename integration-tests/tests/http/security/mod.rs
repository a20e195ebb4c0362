//! Attacks, each named by its row in the project's security checklist.
//!
//! A row is a family: its tests try variants. Rows that a clock or a process decides are covered
//! where those are; rows about features that are not built yet have no test.
//!
//! | row | what | where |
//! |---|---|---|
//! | P01–P04 | members that set what no client may set | [`mass_assignment`] |
//! | P05 | one address in any case | [`sign_up`] |
//! | P06 | sign-ups at once | [`sign_up`]; the index itself: `schema/tests/databases/constraints.rs` |
//! | P07 | half a sign-up | [`sign_up`]; faults of the database: `schema/tests/databases/faults.rs` |
//! | P08 | wrong types | [`sign_up`]; every message: `extract/check.rs` |
//! | P09 | NUL in body, query, path, cookie, header | [`sign_up`]; `find_nul` in `extract/check.rs` |
//! | P10 | malformed addresses | [`sign_up`]; the whole form: `email_form.rs` |
//! | P11–P13 | lengths and truncation | [`passwords`]; each hash: `password/tests.rs` |
//! | P14–P16 | imported, malformed and expensive hashes | [`imported_hashes`]; all vectors: `password/tests.rs` |
//! | P17, P18 | spellings, spaces | [`passwords`] |
//! | P19 | breached passwords | not built |
//! | P20 | a flood of sign-ins | [`passwords`]: refused at once; memory and latencies: `scripts/bench` |
//! | P21 | failing sign-ins look alike | [`enumeration`] |
//! | P22 | … and cost alike | [`passwords`]: all need a hash; equal work: `password/tests.rs`; the clock: `scripts/bench` |
//! | P23–P26 | other answers to strangers | [`enumeration`]: equal in every byte, mail off the path; the clock: `scripts/bench` |
//! | P27, P28 | requests from other sites | [`csrf`]; the rules: `origins/tests.rs` |
//! | P29–P34 | redirects | [`redirects`]; the rules: `origins/tests.rs` |
//! | P35 | the error page | [`error_page`] |
//! | P36 | attributes of cookies | [`cookies`]; `cookies/tests/wire.rs` |
//! | P37 | forged cookies | [`cookies`]; `cookies/tests/parse.rs`, `cookies/tests/cache.rs` |
//! | P38 | bearer tokens | [`sessions`]; the plugin: `bearer.rs` |
//! | P39 | signed out | [`sessions`] |
//! | P40 | entropy | `ids.rs`, `ten_thousand_ids_never_repeat_and_use_the_whole_alphabet_evenly` |
//! | P41 | `no-store` | [`sessions`] |
//! | P42 | ends and extensions of sessions | [`sessions`]; there is no absolute cap to set |
//! | P43 | deleted users | [`sessions`] |
//! | P44, P45 | other people's things; changing a password | [`ownership`] |
//! | P46 | fresh sessions | [`sessions`] |
//! | P47–P49 | tokens of a password reset | [`tokens`]; the flow: `reset_password.rs`, `password_reset_flow.rs` |
//! | P50 | one mail's token for another purpose | [`tokens`] |
//! | P51 | forged and outdated proofs of an address | [`tokens`] |
//! | P53 | one flow's token in another, and twice | `one_time_token.rs`: the part without OAuth |
//! | P58–P61 | forged tokens for other services, and their keys | [`jwts`]; each key: `plugins/jwt/key.rs` |
//! | P63 | rate limits | [`limits`]; `rate_limit/tests.rs`, `client_ip/tests.rs` |
//! | P64 | spellings of paths | [`limits`] |
//! | P66 | `Host` | [`hosts`] |
//! | P67 | guesses from many addresses | [`stuffing`]; the settings: `sign_in_throttle.rs` |
//! | P68 | sizes | [`sizes`]; slow clients: process tests |
//! | P69 | JSON | [`sizes`]; `extract/body.rs` |
//! | P70 | the log | [`logs`] |

mod cookies;
mod csrf;
mod enumeration;
mod error_page;
mod hosts;
mod imported_hashes;
mod jwts;
mod limits;
mod logs;
mod mass_assignment;
mod ownership;
mod passwords;
mod redirects;
mod sessions;
mod sign_up;
mod sizes;
mod stuffing;
mod support;
mod tokens;
