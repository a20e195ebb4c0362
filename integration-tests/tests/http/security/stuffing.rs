//! P67: guessing one user's password from many addresses.
//! The settings: `sign_in_throttle.rs`.

use actix_web::http::Method;
use integration_tests::{PASSWORD, Reply, TestApp, email, on_both_databases};
use serde_json::json;

use super::support::{HASH_QUEUE, keep_hashing_busy, rows};

const WINDOW: i64 = 300;
const HOME: &str = "198.51.100.7";

async fn sign_in(app: &TestApp, name: &str, password: &str, from: &str) -> Reply {
    let body = json!({ "email": email(name), "password": password });
    let call = app.browser().request(Method::POST, "/sign-in/email").json(body);
    call.header("x-forwarded-for", from).send().await
}

/// 200 wrong passwords, each from an address of its own; everything that can be seen of the answers.
async fn attack(app: &TestApp, name: &str) -> Vec<(u16, String)> {
    let mut seen = Vec::new();
    for n in 0..200 {
        let reply = sign_in(app, name, &format!("guess-number-{n}"), &format!("203.0.113.{n}")).await;
        seen.push((reply.status.as_u16(), format!("{reply:?}")));
    }
    seen
}

on_both_databases! {
    async fn p67_guesses_from_many_addresses_are_slowed_and_the_owner_waits_no_longer_than_told(db: TestDb) {
        // With the rate limiter of addresses on, as it is by default.
        let app = TestApp::builder().set("AUTH_RATE_LIMIT", true).start(db).await;
        app.browser().sign_up("ada").await;
        app.browser().sign_up("bob").await;
        let seen = attack(&app, "ada").await;
        let statuses: Vec<u16> = seen.iter().map(|(status, _)| *status).collect();
        assert_eq!((&statuses[..20], &statuses[20..]), (&[401; 20][..], &[429; 180][..]));
        let before = rows(&app).await;
        let reply = sign_in(&app, "ada", PASSWORD, HOME).await;
        assert_eq!((reply.status.as_u16(), reply.header("x-retry-after")), (429, WINDOW.to_string().as_str()));
        assert_eq!((reply.set_cookies.len(), rows(&app).await), (0, before));
        // Others are not meant.
        assert_eq!(sign_in(&app, "bob", PASSWORD, HOME).await.status, 200);
        app.clock.advance(WINDOW);
        assert_eq!(sign_in(&app, "ada", PASSWORD, HOME).await.status, 200);
    }

    async fn p67_an_attack_that_never_ends_does_not_reach_a_user_who_is_signed_in(db: TestDb) {
        let app = TestApp::builder().start(db).await;
        app.browser().sign_up("ada").await;
        assert_eq!(sign_in(&app, "ada", PASSWORD, HOME).await.status, 200);
        for _ in 0..3 {
            let guessed = attack(&app, "ada").await.iter().filter(|(status, _)| *status == 401).count();
            assert!(guessed <= 20, "{guessed}");
            assert_eq!(sign_in(&app, "ada", PASSWORD, HOME).await.status, 200, "at once");
            // Not even somebody at the same address gets more than a bucket.
            let mut wrong = 0;
            for _ in 0..30 {
                wrong += usize::from(sign_in(&app, "ada", "wrong-horse-1", HOME).await.status == 401);
            }
            assert!(wrong <= 20, "{wrong}");
            app.clock.advance(WINDOW);
        }
    }

    async fn p67_an_attack_tells_nothing_of_who_has_an_account(db: TestDb) {
        let app = TestApp::builder().start(db).await;
        app.browser().sign_up("ada").await;
        let (known, unknown) = (attack(&app, "ada").await, attack(&app, "nobody").await);
        assert_eq!(known, unknown);
    }

    async fn p67_a_slowed_attempt_costs_no_hash(db: TestDb) {
        let app = TestApp::builder()
            .set("AUTH_HASH_THREADS", 1)
            .set("AUTH_HASH_QUEUE", HASH_QUEUE)
            .start(db).await;
        app.browser().sign_up("ada").await;
        attack(&app, "ada").await;
        let _busy = keep_hashing_busy(&app).await;
        assert_eq!(sign_in(&app, "ada", "wrong-horse-1", HOME).await.status, 429);
        assert_eq!(sign_in(&app, "nobody", "wrong-horse-1", HOME).await.status, 503, "one that is not slowed needs one");
    }

    async fn p67_guesses_at_once_are_counted_one_by_one(db: TestDb) {
        let app = TestApp::builder().set("AUTH_HASH_QUEUE", 1000).start(db).await;
        app.browser().sign_up("ada").await;
        let froms: Vec<String> = (0..100).map(|n| format!("203.0.113.{n}")).collect();
        let replies = futures_util::future::join_all(froms.iter().map(|from| sign_in(&app, "ada", "wrong-horse-1", from)));
        let passed = replies.await.iter().filter(|reply| reply.status == 401).count();
        assert_eq!(passed, 20);
    }
}
