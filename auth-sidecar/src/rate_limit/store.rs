//! The counters, in memory and of bounded size.

use std::{
    collections::{BTreeSet, HashMap},
    hash::{BuildHasher, RandomState},
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::{RetryAfter, rules::Rule};

const SHARDS: usize = 64;

/// Counters in all shards together.
pub(super) const MAX_ENTRIES: usize = 100_000;
const MAX_SHARD_ENTRIES: usize = MAX_ENTRIES / SHARDS;

/// Counts requests by client and path, behind one lock per shard.
///
/// A key is kept as 64 bits of a hash under a secret of this process, so the length of a path costs nothing, a client
/// cannot aim at another's counter, and a new key meets a live counter by chance once in 10^14.
#[derive(Debug)]
pub(super) struct Store {
    hasher: RandomState,
    shards: [Mutex<Shard>; SHARDS],
}

impl Store {
    pub(super) fn new() -> Self {
        Self { hasher: RandomState::new(), shards: std::array::from_fn(|_| Mutex::default()) }
    }

    /// Counts one request, unless the rule refuses it. A key always comes with the same rule.
    pub(super) fn consume(&self, client: &str, path: &str, rule: Rule, now_ms: i64) -> Result<(), RetryAfter> {
        let (key, shard) = self.find(client, path);
        lock(shard).consume(key, rule, now_ms)
    }

    /// Drops a counter.
    pub(super) fn forget(&self, client: &str, path: &str) {
        let (key, shard) = self.find(client, path);
        lock(shard).forget(key);
    }

    fn find(&self, client: &str, path: &str) -> (u64, &Mutex<Shard>) {
        let key = self.hasher.hash_one((client, path));
        let [first, ..] = key.to_le_bytes();
        #[expect(clippy::indexing_slicing, reason = "a remainder is below its divisor")]
        let shard = &self.shards[usize::from(first) % SHARDS];
        (key, shard)
    }

    /// How many counters are held, expired ones that no request has met yet included.
    pub(super) fn len(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).entries.len()).sum()
    }

    /// Bytes held, from the capacity of the maps and twice the content of the ordered sets.
    #[cfg(test)]
    pub(super) fn approximate_bytes(&self) -> usize {
        let entry = size_of::<(u64, Entry)>() + 1;
        let rank = 2 * size_of::<Rank>();
        self.shards.iter().map(lock).map(|shard| shard.entries.capacity() * 8 / 7 * entry + shard.len() * rank).sum()
    }
}

/// A panic elsewhere leaves at worst one counter off by one, so the lock outlives it.
fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Counters, and their keys in the order in which they expire.
///
/// A full shard lets go of the counter that expires first among those that still accept requests, and touches those
/// that refuse only when there are no others. To free himself from a refusal before its time, a client must therefore
/// fill every shard with counters that refuse: some 300 000 requests within the window at the tightest built-in rule.
#[derive(Debug, Default)]
struct Shard {
    entries: HashMap<u64, Entry>,
    accepting: BTreeSet<Rank>,
    refusing: BTreeSet<Rank>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    count: u32,
    /// A window after the last accepted request.
    expires_at_ms: i64,
    refuses: bool,
}

/// Expiry in ms, then the key.
type Rank = (i64, u64);

impl Shard {
    fn forget(&mut self, key: u64) {
        if let Some(entry) = self.entries.get(&key).copied() {
            self.remove(key, entry);
        }
    }

    /// Upstream `decideConsume`, its memory store around it.
    fn consume(&mut self, key: u64, rule: Rule, now_ms: i64) -> Result<(), RetryAfter> {
        self.drop_expired(now_ms);
        let live = self.entries.get(&key).copied();
        let count = match live {
            Some(entry) if entry.count >= rule.max => {
                return Err(RetryAfter::until(entry.expires_at_ms, now_ms));
            }
            Some(entry) => entry.count.saturating_add(1),
            None => 1,
        };
        match live {
            Some(entry) => self.remove(key, entry),
            None if self.entries.len() >= MAX_SHARD_ENTRIES => self.evict(),
            None => {}
        }
        let expires_at_ms = now_ms.saturating_add(i64::from(rule.window) * 1000);
        let entry = Entry { count, expires_at_ms, refuses: count >= rule.max };
        self.order_of(entry).insert((expires_at_ms, key));
        self.entries.insert(key, entry);
        Ok(())
    }

    /// Each counter is dropped once, so this costs a request no more than its own insertion, on average.
    fn drop_expired(&mut self, now_ms: i64) {
        for order in [&mut self.accepting, &mut self.refusing] {
            while let Some((_, key)) = order.first().copied().filter(|(expires_at_ms, _)| *expires_at_ms <= now_ms) {
                order.pop_first();
                self.entries.remove(&key);
            }
        }
    }

    fn evict(&mut self) {
        if let Some((_, key)) = self.accepting.pop_first().or_else(|| self.refusing.pop_first()) {
            self.entries.remove(&key);
        }
    }

    fn remove(&mut self, key: u64, entry: Entry) {
        self.order_of(entry).remove(&(entry.expires_at_ms, key));
        self.entries.remove(&key);
    }

    fn order_of(&mut self, entry: Entry) -> &mut BTreeSet<Rank> {
        if entry.refuses { &mut self.refusing } else { &mut self.accepting }
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.accepting.len() + self.refusing.len()
    }
}
