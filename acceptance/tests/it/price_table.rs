//! The documented import of a table of prices from another PostgreSQL database.

use std::{env, fs, path::Path, process::Command, sync::Arc};

use entity::{ConnectionRole, rate, rate_batch};
use migration::testing::{Backend, TestDatabase};
use provider_sim::SimCatalogue;
use sea_orm::{ConnectionTrait, EntityTrait, PaginatorTrait};
use tempfile::TempDir;

use crate::deployment::{Deployment, program};

const TABLES: &str = "
    CREATE TABLE regions (slug text NOT NULL, name text NOT NULL, parent_slug text);
    CREATE TABLE ports (code text NOT NULL, name text NOT NULL, parent_slug text NOT NULL);
    CREATE TABLE prices (orig_code text NOT NULL, dest_code text NOT NULL, day date NOT NULL, price integer NOT NULL);
    INSERT INTO regions VALUES ('north', 'North, \"upper\"', NULL), ('fjords', 'Fjørds', 'north');
    INSERT INTO ports VALUES ('AAAAA', 'Ålesund', 'fjords'), ('BBBBB', 'O''Port', 'north');
    INSERT INTO prices SELECT 'AAAAA', 'BBBBB', day, 7 FROM generate_series(date '2021-01-01', '2021-12-31', '1 day') day;";

#[tokio::test(flavor = "multi_thread")]
async fn a_table_of_prices_is_imported_with_the_documented_commands() {
    let source = TestDatabase::empty(Backend::Postgres).await;
    source.connect(ConnectionRole::Migrate).await.execute_unprepared(TABLES).await.unwrap();
    let target = Arc::new(TestDatabase::migrated(Backend::Postgres).await);
    let deployment = Deployment::new(target.clone(), SimCatalogue::default()).await;
    let api = deployment.start_api();

    let [export_prices, load_prices, export_places, put_places] = documented_commands();
    let folder = TempDir::new().unwrap();
    let path = format!("{}:{}", program("marquee-worker").parent().unwrap().display(), env::var("PATH").unwrap());
    for command in [export_places, put_places, export_prices, load_prices] {
        let output = Command::new("bash")
            .args(["-euc", &command])
            .current_dir(folder.path())
            .env("PATH", &path)
            .env("SOURCE_URL", source.settings.url.expose())
            .env("MARQUEE_URL", format!("http://{}", api.address()))
            .env("DATABASE_URL", target.settings.url.expose())
            .output()
            .unwrap();
        assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
    }

    let database = target.connect(ConnectionRole::Worker).await;
    assert_eq!(rate::Entity::find().count(&database).await.unwrap(), 365);
    assert_eq!(rate_batch::Entity::find().count(&database).await.unwrap(), 1);
    let (_, places) = api.send("GET", "/places", &[], "").await.unwrap();
    let list = &places["data"]["places"];
    assert_eq!((&list[0]["name"], &list[0]["region_slug"]), (&"Ålesund".into(), &"fjords".into()), "{places}");
    source.remove().await;
}

/// The commands of the section in OPERATIONS, in its order.
fn documented_commands() -> [String; 4] {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/OPERATIONS.md")).unwrap();
    let (_, section) = page.split_once("### Import an existing table\n").expect("the section");
    let (section, _) = section.split_once("\n## ").unwrap();
    let blocks = section.split("```console\n").skip(1).map(|rest| rest.split_once("```").unwrap().0);
    let commands: Vec<String> = blocks.flat_map(|block| block.split("$ ").skip(1)).map(str::to_owned).collect();
    commands.try_into().expect("four commands")
}
