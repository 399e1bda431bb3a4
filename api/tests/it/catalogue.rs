//! Rows for a test, written as the worker writes them. A test names what matters to it, and the rest is plain: one shown
//! event of the provider `fever` in euros.

use std::collections::HashMap;

use chrono::{NaiveDate, NaiveDateTime};
use entity::{
    UtcInstant, base_event, catalogue_version, event, event_performer, fold_name, performer, provider, sphere::Direction, venue,
    zone,
};
use migration::testing::TestDatabase;
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, DatabaseConnection, DatabaseTransaction, EntityTrait, IntoActiveModel, QueryFilter,
    TransactionTrait, prelude::Uuid, sea_query::OnConflict,
};

/// Rows of one statement: the widest table has 19 columns, and SQLite binds 32,766 values.
const ROWS_PER_STATEMENT: usize = 1_000;

/// Writes rows.
pub(crate) struct Catalogue {
    pub(crate) database: DatabaseConnection,
}

/// An event with its base event and all that hangs on it.
#[derive(Clone, Debug)]
pub(crate) struct NewEvent {
    pub(crate) provider: &'static str,
    pub(crate) row: event::Model,
    pub(crate) base_event: base_event::Model,
    pub(crate) zones: Vec<zone::Model>,
    pub(crate) performers: Vec<String>,
    pub(crate) venue: Option<venue::Model>,
}

impl Catalogue {
    pub(crate) async fn of(database: &TestDatabase) -> Self {
        Self { database: database.connect(entity::ConnectionRole::Worker).await }
    }

    /// A provider that asks for prices in this currency.
    pub(crate) async fn provider(&self, slug: &str, currency: &str, digits: i16) -> provider::Model {
        let row = provider::ActiveModel {
            slug: Set(slug.to_owned()),
            url: Set(format!("https://user:secret@{slug}.example/feed?key=secret")),
            format: Set("event-list-xml".to_owned()),
            schedule: Set("0 */10 * * * *".to_owned()),
            time_zone: Set("UTC".to_owned()),
            currency: Set(currency.to_owned()),
            currency_digits: Set(digits),
            event_count: Set(0),
            reject_count: Set(0),
            ..Default::default()
        };
        row.insert(&self.database).await.unwrap()
    }

    pub(crate) async fn insert(&self, events: impl IntoIterator<Item = NewEvent>) {
        let transaction = self.write(events).await;
        transaction.commit().await.unwrap();
    }

    /// As a sync does it: with a new version, in one transaction.
    pub(crate) async fn insert_and_raise(&self, event: NewEvent) {
        let transaction = self.write([event]).await;
        catalogue_version::increment(&transaction).await.unwrap();
        transaction.commit().await.unwrap();
    }

    async fn write(&self, events: impl IntoIterator<Item = NewEvent>) -> DatabaseTransaction {
        let mut events: Vec<NewEvent> = events.into_iter().collect();
        let mut known: Vec<provider::Model> = provider::Entity::find().all(&self.database).await.unwrap();
        for new in &mut events {
            if !known.iter().any(|provider| provider.slug == new.provider) {
                known.push(self.provider(new.provider, "EUR", 2).await);
            }
            let provider = known.iter().find(|provider| provider.slug == new.provider).unwrap();
            new.belong_to(provider.id);
        }
        // Many events share one.
        let performers = events.iter().flat_map(NewEvent::performer_rows).map(|performer| (performer.id, performer));
        let performers: HashMap<Uuid, performer::Model> = performers.collect();
        let venues: HashMap<Uuid, venue::Model> =
            events.iter().filter_map(|new| new.venue.clone()).map(|venue| (venue.id, venue)).collect();
        let on_the_bills: Vec<event_performer::Model> = events.iter().flat_map(NewEvent::bill_rows).collect();

        // In one transaction: thousands of rows of a test are written in a second.
        let transaction = self.database.begin().await.unwrap();
        insert_all(&transaction, events.iter().map(|new| new.base_event.clone()).collect()).await;
        insert_all(&transaction, venues.into_values().collect()).await;
        insert_all(&transaction, performers.into_values().collect()).await;
        insert_all(&transaction, events.iter().map(|new| new.row.clone()).collect()).await;
        insert_all(&transaction, events.iter().flat_map(|new| new.zones.clone()).collect()).await;
        insert_all(&transaction, on_the_bills).await;
        transaction
    }

    /// Says that a provider's newest copy was taken then.
    pub(crate) async fn succeeded_at(&self, slug: &str, instant: UtcInstant) {
        let done = provider::Entity::update_many()
            .col_expr(provider::Column::LastSuccessAt, instant.into())
            .filter(provider::COLUMN.slug.eq(slug))
            .exec(&self.database)
            .await
            .unwrap();
        assert_eq!(done.rows_affected, 1);
    }

    /// Takes every event away again, with its venues and performers.
    pub(crate) async fn clear(&self) {
        event_performer::Entity::delete_many().exec(&self.database).await.unwrap();
        event::Entity::delete_many().exec(&self.database).await.unwrap();
        base_event::Entity::delete_many().exec(&self.database).await.unwrap();
        venue::Entity::delete_many().exec(&self.database).await.unwrap();
        performer::Entity::delete_many().exec(&self.database).await.unwrap();
    }
}

impl NewEvent {
    /// An event with ids made from its title. It starts on 2021-02-10 at 20:00:00, and has no end, zone or venue.
    pub(crate) fn titled(title: &str) -> Self {
        let id = Uuid::new_v5(&Uuid::NAMESPACE_OID, title.as_bytes());
        let base_event_id = Uuid::new_v5(&id, b"base event");
        let base_event = base_event::Model {
            id: base_event_id,
            provider_id: 0,
            source_id: base_event_id.to_string(),
            title: title.to_owned(),
            sell_mode: "online".to_owned(),
            organizer_company_id: None,
            first_online_at: Some(UtcInstant(0)),
            content_hash: Some(0),
        };
        let row = event::Model {
            id,
            base_event_id,
            source_id: id.to_string(),
            local_start: String::new(),
            local_end: None,
            starts_at: UtcInstant(0),
            ends_at: UtcInstant(0),
            sell_from: None,
            sell_to: None,
            sold_out: false,
            min_price: None,
            max_price: None,
            venue_id: None,
            shown: true,
            content_hash: 0,
            first_seen_at: UtcInstant(0),
            last_seen_at: None,
            left_at: None,
            came_back_at: None,
        };
        let new = Self { provider: "fever", row, base_event, zones: Vec::new(), performers: Vec::new(), venue: None };
        new.starts("2021-02-10T20:00:00")
    }

    pub(crate) fn id(mut self, id: Uuid) -> Self {
        self.row.id = id;
        for zone in &mut self.zones {
            zone.event_id = id;
        }
        self
    }

    pub(crate) fn of_provider(mut self, slug: &'static str) -> Self {
        self.provider = slug;
        self
    }

    /// Starts then by a wall clock in UTC, and ends then, too, until an end is given.
    pub(crate) fn starts(mut self, wall_clock: &str) -> Self {
        self.row.local_start = wall_clock.to_owned();
        self.row.starts_at = instant(wall_clock);
        self.row.ends_at = self.row.starts_at;
        self
    }

    pub(crate) fn ends(mut self, wall_clock: &str) -> Self {
        self.row.local_end = Some(wall_clock.to_owned());
        self.row.ends_at = instant(wall_clock);
        self
    }

    /// One zone for each price in minor units.
    pub(crate) fn prices(mut self, minor_units: &[i64]) -> Self {
        for price in minor_units {
            self = self.zone("1", |zone| zone.price = *price);
        }
        self
    }

    pub(crate) fn zone(mut self, source_id: &str, change: impl FnOnce(&mut zone::Model)) -> Self {
        let mut zone = zone::Model {
            event_id: self.row.id,
            position: i32::try_from(self.zones.len()).unwrap(),
            source_id: source_id.to_owned(),
            name: None,
            capacity: None,
            price: 0,
            numbered: None,
        };
        change(&mut zone);
        self.zones.push(zone);
        self.row.min_price = self.zones.iter().map(|zone| zone.price).min();
        self.row.max_price = self.zones.iter().map(|zone| zone.price).max();
        self
    }

    /// Who plays, by the provider's ids; the name is `Performer` and the id.
    pub(crate) fn performers(mut self, source_ids: &[&str]) -> Self {
        self.performers = source_ids.iter().map(|&source_id| source_id.to_owned()).collect();
        self
    }

    pub(crate) fn venue(mut self, name: &str, (latitude, longitude): (f64, f64), place_code: Option<&str>) -> Self {
        let id = Uuid::new_v5(&Uuid::NAMESPACE_OID, format!("venue {name}").as_bytes());
        self.row.venue_id = Some(id);
        let place_code = place_code.map(str::to_owned);
        let (source_id, name) = (format!("venue of {name}"), name.to_owned());
        let direction = Direction::from_degrees(latitude, longitude);
        self.venue = Some(venue::Model {
            id,
            provider_id: 0,
            source_id,
            folded_name: fold_name(&name),
            name,
            latitude,
            longitude,
            direction_x: direction.x,
            direction_y: direction.y,
            direction_z: direction.z,
            place_code,
        });
        self
    }

    /// Never seen on sale online.
    pub(crate) fn hidden(mut self) -> Self {
        self.row.shown = false;
        self.base_event.sell_mode = "offline".to_owned();
        self.base_event.first_online_at = None;
        self
    }

    pub(crate) fn with(mut self, change: impl FnOnce(&mut event::Model)) -> Self {
        change(&mut self.row);
        self
    }

    fn belong_to(&mut self, provider_id: i32) {
        self.base_event.provider_id = provider_id;
        if let Some(venue) = &mut self.venue {
            venue.provider_id = provider_id;
        }
    }

    fn performer_rows(&self) -> impl Iterator<Item = performer::Model> {
        self.performers.iter().map(|source_id| {
            let name = format!("Performer {source_id}");
            performer::Model {
                id: self.performer_id(source_id),
                provider_id: self.base_event.provider_id,
                source_id: source_id.clone(),
                folded_name: fold_name(&name),
                name,
            }
        })
    }

    /// Ours, of a performer of its provider.
    pub(crate) fn performer_id(&self, source_id: &str) -> Uuid {
        Uuid::new_v5(&Uuid::NAMESPACE_OID, format!("performer {} {source_id}", self.provider).as_bytes())
    }

    fn bill_rows(&self) -> impl Iterator<Item = event_performer::Model> {
        (0..).zip(&self.performers).map(|(position, source_id)| event_performer::Model {
            event_id: self.row.id,
            position,
            performer_id: self.performer_id(source_id),
            venue_id: self.row.venue_id,
            starts_at: self.row.starts_at,
            shown: self.row.shown,
        })
    }
}

/// The instant of a wall clock in UTC; of a bare date its first.
pub(crate) fn instant(wall_clock: &str) -> UtcInstant {
    let local = wall_clock.parse::<NaiveDateTime>();
    local.unwrap_or_else(|_| wall_clock.parse::<NaiveDate>().unwrap().and_hms_opt(0, 0, 0).unwrap()).and_utc().into()
}

async fn insert_all<M>(transaction: &sea_orm::DatabaseTransaction, rows: Vec<M>)
where
    M: sea_orm::ModelTrait + IntoActiveModel<<M::Entity as EntityTrait>::ActiveModel>,
    <M::Entity as EntityTrait>::ActiveModel: ActiveModelTrait<Entity = M::Entity>,
{
    for rows in rows.chunks(ROWS_PER_STATEMENT) {
        let rows = rows.iter().cloned().map(IntoActiveModel::into_active_model);
        // What is shared may be there already.
        let unless_known = OnConflict::new().do_nothing().to_owned();
        M::Entity::insert_many(rows).on_conflict(unless_known).exec_without_returning(transaction).await.unwrap();
    }
}
