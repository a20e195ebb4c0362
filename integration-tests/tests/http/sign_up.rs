//! `POST /sign-up/email`.

use integration_tests::{TestApp, on_both_databases};
use serde_json::json;

on_both_databases! {
    async fn sign_up_stores_both_fields_and_signs_in(db: TestDb) {
        let app = TestApp::builder().start(db).await;
        let ada = app.browser();
        let reply = ada.post("/sign-up/email", json!({
            "name": "Ada", "email": "Ada@Example.com", "password": "correct-horse-1",
            "software_background": "C", "hardware_background": "FPGA",
        })).await;
        assert_eq!(reply.status.as_u16(), 200);
        let user = ada.user().await;
        assert_eq!(user["email"], "ada@example.com");
        assert_eq!(user["software_background"], "C");
        assert_eq!(user["hardware_background"], "FPGA");
    }
}
