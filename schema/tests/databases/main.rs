//! The data layer on both databases.

#[cfg(test)]
mod constraints;
#[cfg(test)]
mod doors;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod fields;
#[cfg(test)]
mod looking;
#[cfg(test)]
mod mails;
#[cfg(test)]
mod migrations;
#[cfg(test)]
mod operators;
#[cfg(test)]
mod queries;
#[cfg(test)]
mod support;
#[cfg(test)]
mod tables;
