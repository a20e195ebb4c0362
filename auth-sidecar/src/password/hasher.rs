//! The threads that hash. They are apart from the async workers and from the blocking pool of the database, and their
//! queue is bounded, so a flood of sign-ins starves neither session reads nor memory.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;

use tokio::sync::oneshot;

use super::{HashError, HashPolicy, Verdict};

type Job = Box<dyn FnOnce() + Send>;

/// Hashes and verifies on its own bounded threads. Clones share the threads, which end once the last clone is gone.
#[derive(Clone)]
pub struct Hasher {
    policy: HashPolicy,
    adopted: Arc<OnceLock<HashPolicy>>,
    jobs: SyncSender<Job>,
}

/// Why a [`Hasher`] gave no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HasherError {
    /// The queue is full: answer 503 with `Retry-After`.
    #[error("too many passwords are waiting to be hashed")]
    Busy,
    /// The new password contains U+0000.
    #[error("the password contains a NUL character")]
    Nul,
    /// The hash could not be made, or the job panicked.
    #[error("the password could not be hashed")]
    Failed,
}

impl From<HashError> for HasherError {
    fn from(error: HashError) -> Self {
        match error {
            HashError::Nul => Self::Nul,
            HashError::Failed => Self::Failed,
        }
    }
}

impl Hasher {
    /// Starts the threads `password-0`, `password-1`, …: as many as cores use the machine fully, one fewer leaves more
    /// to session reads. Each takes up to 32 MiB while it computes Better Auth's scrypt and 256 MiB for the dearest
    /// argon2 hash that is accepted. At most `queue` jobs wait. Of both there is at least one.
    ///
    /// # Errors
    /// If the system starts no more threads.
    pub fn new(policy: HashPolicy, threads: usize, queue: usize) -> io::Result<Self> {
        let (jobs, waiting) = sync_channel::<Job>(queue.max(1));
        let waiting = Arc::new(Mutex::new(waiting));
        for n in 0..threads.max(1) {
            let waiting = Arc::clone(&waiting);
            thread::Builder::new().name(format!("password-{n}")).spawn(move || work_off(&waiting))?;
        }
        Ok(Self { policy, adopted: Arc::default(), jobs })
    }

    /// From now on hashes are made by the policy of the tables that were adopted. It is told once.
    pub fn adopt(&self, policy: HashPolicy) {
        let _ = self.adopted.set(policy);
    }

    /// [`super::hash`] on a hashing thread.
    ///
    /// # Errors
    /// [`HasherError::Busy`] at once if the queue is full; otherwise as [`super::hash`].
    pub async fn hash(&self, password: String) -> Result<String, HasherError> {
        self.run(move |policy| Ok(super::hash(policy, &password)?)).await
    }

    /// [`super::verify`] on a hashing thread; without a stored hash (no such user, or one without a password) the same
    /// work for [`Verdict::Wrong`].
    ///
    /// # Errors
    /// [`HasherError::Busy`] at once if the queue is full; [`HasherError::Failed`] if the job panicked.
    pub async fn verify(&self, password: String, stored: Option<String>) -> Result<Verdict, HasherError> {
        self.run(move |policy| {
            Ok(stored.map_or_else(
                || {
                    super::burn(policy, &password);
                    Verdict::Wrong
                },
                |stored| super::verify(policy, &password, &stored),
            ))
        })
        .await
    }

    /// The two hashes of a password change as one job: the hash of `new`, or `None` if `current` is not the password.
    ///
    /// # Errors
    /// [`HasherError::Busy`] at once if the queue is full; [`HasherError::Nul`] and [`HasherError::Failed`] as for
    /// [`Self::hash`] of `new`.
    pub async fn verify_then_hash(
        &self,
        current: String,
        stored: String,
        new: String,
    ) -> Result<Option<String>, HasherError> {
        self.run(move |policy| match super::verify(policy, &current, &stored) {
            Verdict::Wrong => Ok(None),
            Verdict::Right { .. } => Ok(Some(super::hash(policy, &new)?)),
        })
        .await
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&HashPolicy) -> Result<T, HasherError> + Send + 'static,
    ) -> Result<T, HasherError> {
        // A panicking job drops its end of the channel unanswered.
        self.submit(work)?.await.unwrap_or(Err(HasherError::Failed))
    }

    fn submit<T: Send + 'static>(
        &self,
        work: impl FnOnce(&HashPolicy) -> Result<T, HasherError> + Send + 'static,
    ) -> Result<oneshot::Receiver<Result<T, HasherError>>, HasherError> {
        let (reply, answer) = oneshot::channel();
        let policy = self.adopted.get().copied().unwrap_or(self.policy);
        // An alarm about a stored hash belongs to the request that met it.
        let span = tracing::Span::current();
        let job: Job = Box::new(move || {
            // Nobody waits for a request that was given up: under a flood this empties the queue quickly.
            if !reply.is_closed() {
                let _ = reply.send(span.in_scope(|| work(&policy)));
            }
        });
        self.jobs.try_send(job).map_err(|error| match error {
            TrySendError::Full(_) => HasherError::Busy,
            TrySendError::Disconnected(_) => HasherError::Failed,
        })?;
        Ok(answer)
    }
}

/// Takes jobs until every [`Hasher`] is gone. A panic ends the job, not the thread.
fn work_off(waiting: &Mutex<Receiver<Job>>) {
    while let Some(job) = next(waiting) {
        if catch_unwind(AssertUnwindSafe(job)).is_err() {
            tracing::error!("a password hashing job panicked");
        }
    }
}

/// The next job. The lock is held while waiting for it, not while working on it.
fn next(waiting: &Mutex<Receiver<Job>>) -> Option<Job> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner).recv().ok()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::mpsc::{Sender, channel};

    use super::super::{Scheme, hash};
    use super::*;

    const POLICY: HashPolicy = HashPolicy {
        scheme: Scheme::Bcrypt,
        bcrypt_cost: 4,
        shared_with: crate::password::SharedWith::Nobody,
        replaces: true,
    };

    type Answer<T> = oneshot::Receiver<Result<T, HasherError>>;

    fn hasher(threads: usize, queue: usize) -> Hasher {
        Hasher::new(POLICY, threads, queue).unwrap()
    }

    /// Occupies one thread until the returned sender is used or dropped.
    fn occupy(hasher: &Hasher) -> (Sender<()>, Answer<()>) {
        let (started, has_started) = channel();
        let (release, released) = channel();
        let answer = hasher
            .submit(move |_| {
                started.send(()).unwrap();
                let _ = released.recv();
                Ok(())
            })
            .unwrap();
        has_started.recv().unwrap();
        (release, answer)
    }

    /// What the future gives when first polled.
    async fn at_once<T>(future: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            output = future => Some(output),
            () = std::future::ready(()) => None,
        }
    }

    #[tokio::test]
    async fn what_it_hashes_it_verifies() {
        let hasher = hasher(2, 8);
        let stored = hasher.hash("correct horse".to_owned()).await.unwrap();
        let right = hasher.verify("correct horse".to_owned(), Some(stored.clone())).await;
        assert_eq!(right, Ok(Verdict::Right { rehash: false }));
        assert_eq!(hasher.verify("wrong horse".to_owned(), Some(stored)).await, Ok(Verdict::Wrong));
        assert_eq!(hasher.verify("correct horse".to_owned(), None).await, Ok(Verdict::Wrong));
        assert_eq!(hasher.hash("nul\0".to_owned()).await, Err(HasherError::Nul));
    }

    #[tokio::test]
    async fn a_password_change_needs_the_current_password() {
        let hasher = hasher(1, 1);
        let stored = hash(&POLICY, "old password").unwrap();
        let change =
            |current: &str, new: &str| hasher.verify_then_hash(current.to_owned(), stored.clone(), new.to_owned());
        let new = change("old password", "new password").await.unwrap().unwrap();
        assert_eq!(super::super::verify(&POLICY, "new password", &new), Verdict::Right { rehash: false });
        assert_eq!(change("wrong password", "new password").await, Ok(None));
        assert_eq!(change("old password", "new\0").await, Err(HasherError::Nul));
    }

    #[tokio::test]
    async fn a_full_queue_is_busy_at_once_and_recovers() {
        let hasher = hasher(1, 2);
        let (release, running) = occupy(&hasher);
        let waiting: Vec<Answer<u8>> = (0..2).map(|n| hasher.submit(move |_| Ok(n)).unwrap()).collect();
        assert_eq!(at_once(hasher.hash("password".to_owned())).await, Some(Err(HasherError::Busy)));
        assert_eq!(at_once(hasher.verify("password".to_owned(), None)).await, Some(Err(HasherError::Busy)));
        drop(release);
        assert_eq!(running.await.unwrap(), Ok(()));
        for (n, answer) in (0..).zip(waiting) {
            assert_eq!(answer.await.unwrap(), Ok(n));
        }
        assert!(hasher.hash("password".to_owned()).await.is_ok());
    }

    #[tokio::test]
    async fn a_panic_fails_its_caller_and_spares_the_thread() {
        let hasher = hasher(1, 4);
        for _ in 0..3 {
            let answer: Result<(), HasherError> = hasher.run(|_| panic!("a job that panics on purpose")).await;
            assert_eq!(answer, Err(HasherError::Failed));
        }
        assert!(hasher.hash("password".to_owned()).await.is_ok());
    }

    #[tokio::test]
    async fn a_job_whose_caller_has_gone_is_skipped() {
        let hasher = hasher(1, 4);
        let (release, _running) = occupy(&hasher);
        let ran = Arc::new(AtomicBool::new(false));
        let mark = Arc::clone(&ran);
        let abandoned = hasher.submit(move |_| {
            mark.store(true, Ordering::SeqCst);
            Ok(())
        });
        drop(abandoned);
        let last = hasher.submit(|_| Ok(())).unwrap();
        drop(release);
        assert_eq!(last.await.unwrap(), Ok(()));
        assert!(!ran.load(Ordering::SeqCst));
    }

    #[tokio::test]
    async fn as_many_jobs_run_at_once_as_there_are_threads() {
        let hasher = hasher(3, 1);
        let running: Vec<_> = (0..3).map(|_| occupy(&hasher)).collect();
        let waiting = hasher.submit(|_| Ok(())).unwrap();
        assert_eq!(at_once(hasher.hash("password".to_owned())).await, Some(Err(HasherError::Busy)));
        drop(running);
        assert_eq!(waiting.await.unwrap(), Ok(()));
    }

    #[tokio::test]
    async fn jobs_run_on_threads_named_for_them() {
        let hasher = hasher(1, 1);
        let name = hasher.run(|_| Ok(thread::current().name().map(str::to_owned))).await;
        assert_eq!(name, Ok(Some("password-0".to_owned())));
    }

    #[test]
    fn the_threads_end_with_the_last_clone() {
        let (gone, has_gone) = channel::<()>();
        thread_local!(static ON_EXIT: std::cell::RefCell<Option<Sender<()>>> = const { std::cell::RefCell::new(None) });
        let hasher = hasher(1, 1);
        let set = hasher.submit(move |_| {
            ON_EXIT.set(Some(gone));
            Ok(())
        });
        assert_eq!(set.unwrap().blocking_recv().unwrap(), Ok(()));
        let clone = hasher.clone();
        drop(hasher);
        assert!(clone.submit(|_| Ok(())).unwrap().blocking_recv().is_ok());
        drop(clone);
        // The thread's exit drops the sender.
        assert!(
            has_gone
                .recv_timeout(std::time::Duration::from_secs(10))
                .is_err_and(|e| e == std::sync::mpsc::RecvTimeoutError::Disconnected)
        );
    }
}
