//! Better Auth's HTTP protocol as one program.
//!
//! A request goes one way: [`pipeline`] (limits, routing, body, origin) → [`routes`] (one file per
//! endpoint, one line each in the table) → [`flows`] (what several routes do) → the `schema` crate
//! (two doors to the database). Nothing below `routes` knows HTTP.
//!
//! - [`plugins`]: endpoints that `AUTH_PLUGINS` adds
//! - [`app`], [`state`]: how the service is put together, and what every request shares
//! - [`cli`]: the subcommands
//! - [`config`], [`fields`]: settings from the environment, and the declared fields
//! - [`context`], [`extract`], [`wire`], [`error`]: a request, its input, its output, its failure
//! - [`cookies`], [`secrets`], [`encryption`], [`password`]: sessions on the wire, keys, hashes
//! - [`origins`], [`client_ip`], [`rate_limit`], [`email_form`]: who may ask, and how often
//! - [`clock`], [`ids`], [`links`], [`mail`], [`jobs`], [`telemetry`]: the rest

pub mod app;
pub mod cli;
pub mod client_ip;
pub mod clock;
pub mod config;
pub mod context;
pub mod cookies;
pub mod email_form;
pub mod encryption;
pub mod error;
pub mod extract;
pub mod fields;
pub mod flows;
pub mod ids;
pub mod jobs;
pub mod links;
pub mod mail;
pub mod origins;
pub mod password;
pub mod pipeline;
pub mod plugins;
pub mod rate_limit;
pub mod routes;
pub mod secrets;
pub mod state;
pub mod telemetry;
pub mod wire;
