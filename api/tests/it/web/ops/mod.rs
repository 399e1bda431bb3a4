//! The pages of operators.

mod access;
mod address;
mod dry_runs;
mod jobs;
mod overview;
mod runs;
mod webhooks;

use entity::{
    UtcInstant,
    job::{self, JobState},
};
use sea_orm::{
    ActiveModelTrait,
    ActiveValue::{NotSet, Set},
    DatabaseConnection,
};

use super::html::{Tag, tags};

const HOSTILE: &str = "\"><script>alert(1)</script><img src=x onerror=alert(1)>' \u{202e}{{ 7*7 }}";

async fn insert_job(database: &DatabaseConnection, key: &str, state: JobState, reason: Option<&str>) -> job::Model {
    let row = job::ActiveModel {
        id: NotSet,
        kind: Set("sync".to_owned()),
        key: Set(key.to_owned()),
        lane: Set(format!("sync/{key}")),
        payload: Set("{}".to_owned()),
        state: Set(state),
        run_at: Set(UtcInstant(0)),
        attempt: Set(5),
        max_attempts: Set(5),
        epoch: Set(5),
        worker: Set(None),
        lease_until: Set(None),
        reason: Set(reason.map(str::to_owned)),
        created_at: Set(UtcInstant(0)),
        changed_at: Set(None),
        in_order: Set(false),
    };
    row.insert(database).await.unwrap()
}

/// The token of the first form of a page.
fn token_of(html: &str) -> String {
    let is_token = |tag: &Tag| tag.name == "input" && tag.get("name") == Some("token");
    tags(html).iter().find(|tag| is_token(tag)).unwrap().get("value").unwrap().to_owned()
}

/// Checks that a hostile text is on the page, and only as text.
fn assert_escaped(html: &str) {
    assert!(html.contains("&#60;script&#62;alert(1)"), "{html}");
    assert!(!html.contains('\u{202e}'), "characters that change the direction are shown as their code");
    for tag in tags(html) {
        assert!(tag.get("onerror").is_none() && tag.get("style").is_none() && tag.name != "style", "{tag:?}");
        let is_own_script = tag.get("src").is_some_and(|src| src.contains("assets/") && src.ends_with("/ops.js"));
        assert!(tag.name != "script" || is_own_script, "{tag:?}");
    }
}
