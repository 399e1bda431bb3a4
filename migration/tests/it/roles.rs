//! `marquee-migrate roles`: what the members of each group can do.

use std::process::Command;

use entity::{ConnectionRole, DatabaseSettings};
use migration::testing::{Backend, TestDatabase};
use sea_orm_migration::sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, Statement};

/// What a reader cannot read: URLs that may contain passwords, and what only operators need.
const HIDDEN: [&str; 8] =
    ["datum.*", "feed_page.*", "job.*", "provider.url", "pushed_feed.*", "sync_run.reason", "undo.*", "webhook.*"];

fn marquee_migrate(arguments: &[&str], settings: &DatabaseSettings) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_marquee-migrate"));
    let output = command.args(arguments).env("DATABASE_URL", settings.url.expose()).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// A database that an owner without further rights has migrated, and a login of each group.
struct Fixture {
    database: TestDatabase,
    administrator: DatabaseConnection,
    logins: Vec<String>,
}

impl Fixture {
    async fn new() -> Self {
        let database = TestDatabase::empty(Backend::Postgres).await;
        let administrator = database.connect(ConnectionRole::Migrate).await;
        let name = database.settings.url.expose().rsplit('/').next().unwrap().split('?').next().unwrap().to_owned();
        let logins = ["owner", "reader", "operator", "service"].map(|group| format!("{name}_{group}")).to_vec();
        for login in &logins {
            execute(&administrator, &format!("CREATE ROLE {login} LOGIN PASSWORD 'test'")).await.unwrap();
        }
        let fixture = Self { database, administrator, logins };
        execute(&fixture.administrator, &format!("GRANT CREATE ON SCHEMA public TO {}", fixture.logins[0])).await.unwrap();
        marquee_migrate(&["up"], &fixture.settings("owner"));
        fixture.apply_roles().await;
        for login in &fixture.logins[1..] {
            let group = login.rsplit('_').next().unwrap();
            execute(&fixture.administrator, &format!("GRANT marquee_{group} TO {login}")).await.unwrap();
        }
        // For the new logins.
        fixture.apply_roles().await;
        fixture
    }

    /// Runs the output of the command, which needs no database.
    async fn apply_roles(&self) {
        let nowhere = DatabaseSettings { url: "postgres://marquee@127.0.0.1:1/marquee".parse().unwrap() };
        execute(&self.administrator, &marquee_migrate(&["roles"], &nowhere)).await.unwrap();
    }

    fn settings(&self, group: &str) -> DatabaseSettings {
        let login = self.logins.iter().find(|login| login.ends_with(group)).unwrap();
        let (_, server) = self.database.settings.url.expose().split_once('@').unwrap();
        DatabaseSettings { url: format!("postgres://{login}:test@{server}").parse().unwrap() }
    }

    async fn connect(&self, group: &str) -> DatabaseConnection {
        entity::connect(&self.settings(group), ConnectionRole::Migrate).await.unwrap()
    }

    async fn remove(self) {
        self.database.remove().await;
        let server = TestDatabase::empty(Backend::Postgres).await;
        let administrator = server.connect(ConnectionRole::Migrate).await;
        execute(&administrator, &format!("DROP ROLE {}", self.logins.join(", "))).await.unwrap();
        administrator.close().await.unwrap();
        server.remove().await;
    }
}

async fn execute(database: &DatabaseConnection, sql: &str) -> Result<(), String> {
    database.execute_unprepared(sql).await.map(drop).map_err(|error| error.to_string())
}

/// Checks which statements succeed. The others must lack a right.
async fn assert_rights(database: &DatabaseConnection, allowed: &[&str], denied: &[&str]) {
    for sql in allowed {
        assert_eq!(execute(database, sql).await, Ok(()), "{sql}");
    }
    for sql in denied {
        let error = execute(database, sql).await.expect_err(sql);
        assert!(error.contains("permission denied") || error.contains("must be owner"), "{sql}: {error}");
    }
}

/// One test: the roles are those of the whole server, and changes of one role at the same time fail.
#[tokio::test]
async fn each_group_has_the_rights_that_it_needs() {
    let fixture = Fixture::new().await;
    let (owner, service) = (fixture.connect("owner").await, fixture.connect("service").await);
    let (operator, reader) = (fixture.connect("operator").await, fixture.connect("reader").await);
    let ddl = ["CREATE TABLE other (id int)", "CREATE TEMPORARY TABLE other (id int)", "DROP TABLE zone", "TRUNCATE zone"];
    let protected = ["DELETE FROM seaql_migrations", "UPDATE schema_compatibility SET required_of_programs = NULL"];
    assert_rights(
        &service,
        &["INSERT INTO datum (data, accepted_at) VALUES ('x', 0)", "UPDATE datum SET data = 'y'", "DELETE FROM datum"],
        &[&ddl[..], &protected].concat(),
    )
    .await;
    assert_rights(
        &operator,
        &[
            "SELECT url FROM provider",
            "UPDATE job SET attempt = 0",
            "DELETE FROM job",
            "SELECT query FROM pg_stat_activity",
            "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE usename LIKE '%_reader'",
        ],
        &[&ddl[..], &protected, &["DELETE FROM event", "INSERT INTO datum (data, accepted_at) VALUES ('x', 0)"]].concat(),
    )
    .await;
    let writable = execute(&reader, "SET default_transaction_read_only = off").await;
    assert_eq!(writable, Ok(()));
    assert_rights(
        &reader,
        &["SELECT * FROM event", "SELECT slug FROM provider"],
        &[&ddl[..], &protected, &["DELETE FROM event", "SELECT url FROM provider", "SELECT * FROM provider"]].concat(),
    )
    .await;
    assert_eq!(find_hidden(&reader).await, HIDDEN);
    assert_eq!(find_hidden(&operator).await, ["webhook.previous_secret", "webhook.secret"]);

    // A later migration creates a table, and does not know the roles.
    assert_rights(&owner, &["CREATE TABLE later (id serial PRIMARY KEY)"], &[]).await;
    assert_rights(&service, &["INSERT INTO later DEFAULT VALUES", "SELECT * FROM later"], &[]).await;
    assert_rights(&operator, &["SELECT * FROM later"], &["DELETE FROM later"]).await;
    assert_rights(&reader, &[], &["SELECT * FROM later"]).await;
    assert_settings(&fixture).await;
    fixture.remove().await;
}

/// The columns that a login cannot read, with one entry for a table of which it can read none.
async fn find_hidden(login: &DatabaseConnection) -> Vec<String> {
    let sql = "SELECT DISTINCT c.relname || '.' || CASE WHEN has_any_column_privilege(c.oid, 'SELECT') THEN a.attname ELSE '*' END \
               AS hidden FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped \
               WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' \
               AND NOT has_column_privilege(c.oid, a.attnum, 'SELECT') ORDER BY hidden";
    let rows = login.query_all_raw(Statement::from_string(DbBackend::Postgres, sql)).await.unwrap();
    rows.iter().map(|row| row.try_get("", "hidden").unwrap()).collect()
}

/// Those that are set for each login, because the settings of a group do not apply to its members.
async fn assert_settings(fixture: &Fixture) {
    for (group, name, value) in [
        ("reader", "default_transaction_read_only", "on"),
        ("reader", "statement_timeout", "1min"),
        ("reader", "log_statement", "all"),
        ("operator", "statement_timeout", "10min"),
        ("operator", "lock_timeout", "5s"),
        ("operator", "log_statement", "all"),
        ("service", "idle_in_transaction_session_timeout", "1min"),
        ("service", "log_statement", "none"),
        ("owner", "statement_timeout", "0"),
    ] {
        let login = fixture.connect(group).await;
        let row =
            login.query_one_raw(Statement::from_string(DbBackend::Postgres, format!("SHOW {name}"))).await.unwrap().unwrap();
        assert_eq!(row.try_get::<String>("", name).unwrap(), value, "{name} of {group}");
        login.close().await.unwrap();
    }
}
