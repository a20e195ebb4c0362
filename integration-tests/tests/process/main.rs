//! The real program as a child process: its command line, its start and end, and how it stands
//! failing databases, kills and slow clients.
//!
//! The program is the one beside this test in the target folder: `cargo nextest run --workspace`
//! and `cargo test --workspace` build it, `-p integration-tests` alone does not.

#[cfg(test)]
mod adopt;
#[cfg(test)]
mod cluster;
#[cfg(test)]
mod command_line;
#[cfg(test)]
mod contention;
#[cfg(test)]
mod database_faults;
#[cfg(test)]
mod database_outage;
#[cfg(test)]
mod database_tls;
#[cfg(test)]
mod disk_full;
#[cfg(test)]
mod doctor;
#[cfg(test)]
mod exit_codes;
#[cfg(test)]
mod fake_server;
#[cfg(test)]
mod first_start;
#[cfg(test)]
mod http;
#[cfg(test)]
mod keys;
#[cfg(test)]
mod kill;
#[cfg(test)]
mod mail;
#[cfg(test)]
mod service;
#[cfg(test)]
mod shutdown;
#[cfg(test)]
mod slow_clients;
#[cfg(test)]
mod users;
#[cfg(test)]
mod users_import;
