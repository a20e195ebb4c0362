//! A batch of rows and one transaction.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use chrono::NaiveDateTime;
use diesel::QueryResult;
use schema::{Account, AnyConnection, Db, DbError, User, accounts, users};

use super::row::Row;
use crate::fields::FieldRegistry;
use crate::flows::credentials::new_account;

/// How long to wait for a database that is away, before each further try.
const WAITS: [Duration; 4] =
    [Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(5), Duration::from_secs(10)];

/// What is done to the database.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// New users are made.
    Insert,
    /// And those who are there are changed.
    Update,
    /// Nothing.
    DryRun,
}

/// What became of a row.
pub enum Fate {
    Imported,
    Updated,
    /// Somebody has the address, and the id if the row has one.
    There,
    /// Why, without a value of the row.
    Rejected(String),
}

/// A row, and what it would become as a new user.
#[derive(Clone)]
pub struct Candidate {
    pub row: Row,
    made: Result<(User, Option<Account>), String>,
}

impl Candidate {
    pub fn new(row: Row, registry: &FieldRegistry, now: NaiveDateTime) -> Self {
        let made = row.clone().into_rows(registry, now);
        Self { row, made }
    }
}

/// Writes the rows, all in one transaction, and tells what became of each. When the database refuses one of them each
/// gets a transaction of its own, so that it stands alone.
///
/// # Errors
/// When the database stays away.
pub async fn write(
    db: &Db,
    candidates: Vec<Candidate>,
    registry: &FieldRegistry,
    mode: Mode,
    now: NaiveDateTime,
) -> Result<(Arc<Vec<Candidate>>, Vec<Fate>), DbError> {
    let candidates = Arc::new(candidates);
    if candidates.is_empty() {
        return Ok((candidates, Vec::new()));
    }
    let step = Step { registry: Arc::new(registry.clone()), mode, now };
    let fates = match step.patiently(db, Arc::clone(&candidates)).await {
        Err(DbError::Unavailable(error)) => return Err(DbError::Unavailable(error)),
        Ok(fates) => fates,
        Err(_) => {
            let mut fates = Vec::new();
            for candidate in candidates.iter() {
                match step.patiently(db, Arc::new(vec![candidate.clone()])).await {
                    Ok(own) => fates.extend(own),
                    Err(DbError::Unavailable(error)) => return Err(DbError::Unavailable(error)),
                    Err(error) => fates.push(Fate::Rejected(error.to_string())),
                }
            }
            fates
        }
    };
    Ok((candidates, fates))
}

#[derive(Clone)]
struct Step {
    registry: Arc<FieldRegistry>,
    mode: Mode,
    now: NaiveDateTime,
}

impl Step {
    /// Tries again while the database is away. What a lost connection may have written is found there then.
    async fn patiently(&self, db: &Db, candidates: Arc<Vec<Candidate>>) -> Result<Vec<Fate>, DbError> {
        let mut waits = WAITS.iter();
        loop {
            match (self.once(db, Arc::clone(&candidates)).await, waits.next()) {
                (Err(DbError::Unavailable(error)), Some(wait)) => {
                    eprintln!("{}; trying again", DbError::Unavailable(error));
                    tokio::time::sleep(*wait).await;
                }
                (outcome, _) => return outcome,
            }
        }
    }

    async fn once(&self, db: &Db, candidates: Arc<Vec<Candidate>>) -> Result<Vec<Fate>, DbError> {
        let step = self.clone();
        let work = move |conn: &mut AnyConnection| step.place(conn, &candidates);
        if self.mode == Mode::DryRun { db.read(work).await } else { db.write(work).await }
    }

    fn place(&self, conn: &mut AnyConnection, candidates: &[Candidate]) -> QueryResult<Vec<Fate>> {
        let emails: Vec<String> = candidates.iter().map(|candidate| candidate.row.email.clone()).collect();
        let ids: Vec<String> = candidates.iter().filter_map(|candidate| candidate.row.id.clone()).collect();
        let owners = users::find_owners(conn, &emails, &ids)?;
        let by_email: HashMap<&str, &str> = owners.iter().map(|(id, email)| (email.as_str(), id.as_str())).collect();
        let taken: HashSet<&str> = owners.iter().map(|(id, _)| id.as_str()).collect();
        let (mut fates, mut new_users, mut new_accounts, mut bans) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for Candidate { row, made } in candidates {
            let fate = match (by_email.get(row.email.as_str()), row.id.as_deref()) {
                (Some(owner), Some(id)) if *owner != id => {
                    Fate::Rejected("the address belongs to a user with another id".to_owned())
                }
                (Some(owner), _) if self.mode == Mode::Update => {
                    self.update(conn, owner, row)?;
                    Fate::Updated
                }
                (Some(_), _) => Fate::There,
                (None, Some(id)) if taken.contains(id) => {
                    Fate::Rejected("the id belongs to a user with another address".to_owned())
                }
                (None, _) => match made {
                    Ok((user, account)) => {
                        new_users.push(user.clone());
                        bans.extend(row.ban().flatten().map(|ban| (&user.id, ban)));
                        new_accounts.extend(account.clone());
                        Fate::Imported
                    }
                    Err(reason) => Fate::Rejected(reason.clone()),
                },
            };
            fates.push(fate);
        }
        if self.mode != Mode::DryRun {
            users::insert_users(conn, &new_users)?;
            accounts::insert_accounts(conn, &new_accounts)?;
            for (id, ban) in bans {
                users::set_banned(conn, id, Some(ban))?;
            }
        }
        Ok(fates)
    }

    fn update(&self, conn: &mut AnyConnection, id: &str, row: &Row) -> QueryResult<()> {
        let Some(present) = users::lock_user(conn, id)? else { return Ok(()) };
        users::update_user(conn, id, &row.changes(&self.registry, &present, self.now))?;
        if let Some(ban) = row.ban() {
            users::set_banned(conn, id, ban)?;
        }
        let Some(hash) = row.hash() else { return Ok(()) };
        match accounts::find_credential_account(conn, id)? {
            Some(account) if account.password.as_deref() == Some(hash) => Ok(()),
            Some(account) => accounts::update_password(conn, &account.id, hash, self.now).map(drop),
            None => accounts::insert_account(conn, &new_account(id, hash.to_owned(), self.now)),
        }
    }
}
