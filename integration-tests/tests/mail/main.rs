//! The outbox and the ways mail goes, against real servers on this machine.

#[cfg(test)]
mod flows;
#[cfg(test)]
mod outbox;
#[cfg(test)]
mod smtp;
#[cfg(test)]
mod support;
#[cfg(test)]
mod webhook;
