//! One event of a document: from its node to items.

use std::{collections::HashMap, ops::Range, rc::Rc};

use chrono_tz::Tz;
use entity::EventStatus;

use super::{
    details::{read_details, read_organizer_id},
    graph::{EventNode, JsonLdGraph},
    node::{JsonLdLink, JsonLdNode, parse_name},
    offers::{EventOffers, OfferReader},
    place::{read_performers, read_venue},
    schedule::{ScheduledTime, read_schedules},
    series::Series,
    status::read_status,
    times::TimeReader,
};
use crate::provider::{
    format::{
        Conventions,
        values::{self, ItemErrors, describe_missing, describe_missing_id, name_field},
    },
    item::{
        BaseEventItem, EventItem, FeedWarning, ItemDetails, ONLINE, ParsedFeed, PerformerItem, RejectSubject, RejectedItem,
        VenueItem,
    },
    local_time::DayEdge,
    time_zone,
};

/// Items of one document, which are in memory together. Each event may repeat the parts to which it refers.
const MAX_ITEMS: usize = 2_000_000;
/// A wall clock of the greatest length.
const LONGEST_DATE: &str = "9999-12-31T23:59:59.999999999";

/// Reads the events of a document into a feed.
pub(super) struct EventReader<'r, 't> {
    conventions: &'r Conventions,
    graph: &'r JsonLdGraph<'t>,
    pub(super) feed: ParsedFeed,
    /// The series nodes by their position. A series is read once, however many events it has.
    series: HashMap<usize, KnownSeries>,
    items: usize,
}

struct KnownSeries {
    series: Option<Rc<Series>>,
    /// The index of its base event in the feed, if it has a title that all its events share.
    base_event: Option<usize>,
}

/// The fields of an event, without its id, name and dates.
struct EventFields {
    status: EventStatus,
    details: ItemDetails,
    organizer_company_id: Option<String>,
    performers: Vec<PerformerItem>,
    venue: Option<VenueItem>,
    time_zone: Option<Tz>,
    offers: EventOffers,
}

/// The id of an event.
struct EventId {
    text: String,
    /// Dates may share it, so that each is identified by its start, too: those of a schedule, of a page if the id is only its URL, or of a
    /// value of another property.
    is_shared: bool,
}

impl EventId {
    /// The id of the event on this date.
    fn with_date(&self, wall_clock: &str) -> String {
        if self.is_shared { format!("{}#{wall_clock}", self.text) } else { self.text.clone() }
    }
}

impl<'r, 't> EventReader<'r, 't> {
    pub(super) fn new(conventions: &'r Conventions, graph: &'r JsonLdGraph<'t>) -> Self {
        Self { conventions, graph, feed: ParsedFeed::default(), series: HashMap::new(), items: 0 }
    }

    /// The limit, if there are more items.
    pub(super) fn exceeded_limit(&self) -> Option<usize> {
        (self.items > MAX_ITEMS).then_some(MAX_ITEMS)
    }

    /// Reads one event with all its dates.
    pub(super) fn read(&mut self, event: EventNode<'t>, span: Range<usize>) {
        let mut errors = ItemErrors::default();
        let node = event.node();
        let is_scheduled = node.get("eventSchedule").is_some();
        // The dates of a schedule are the events of one base event, which may itself belong to a series.
        let parent_link = self.graph.links_of_event(event, "superEvent").into_iter().next();
        let parent = parent_link.and_then(|link| self.find_series(link, &mut errors));
        let fields = self.read_fields(event, parent.as_deref(), &mut errors);
        let (series_link, series) = if is_scheduled { (None, None) } else { (parent_link, parent) };
        let id = errors.record(read_id(node, self.graph, fields.offers.url.as_deref(), is_scheduled));
        let times = TimeReader { zone: fields.time_zone.unwrap_or(self.conventions.time_zone) };
        let dates = self.read_dates(node, times, &mut errors);
        let dates = errors.record(dates).unwrap_or_default();
        let series_title = series.as_ref().and_then(|series| series.title.clone());
        let name = match &series_title {
            Some(_) => errors.tolerate(node.name("name")),
            None => errors.record(node.required("name", parse_name)),
        };
        let title = series_title.or_else(|| name.clone());
        let id_text = id.as_ref().map(|id| id.text.clone());
        let rejected_id = id.as_ref().and_then(|id| match dates.as_slice() {
            _ if !id.is_shared => id_text.clone(),
            [date] => Some(id.with_date(&date.start.wall_clock)),
            _ => None,
        });
        let base_id = series.as_ref().map(|series| series.source_id.clone()).or_else(|| id_text.clone());
        if let (Some(base_event), Some(id), Some(title), None) = (&base_id, id, title, errors.describe()) {
            let subject = RejectSubject::Event { base_event: base_event.clone(), event: id_text };
            self.warn(span.start, &subject, errors);
            let base_event = build_base_event(fields, &id, dates, series.as_deref(), (title, name), span);
            self.push(base_event, series_link);
        } else {
            let subject = match base_id {
                Some(base_event) => RejectSubject::Event { base_event, event: rejected_id },
                None => RejectSubject::BaseEvent(None),
            };
            let reason = errors.describe().unwrap_or_default();
            self.feed.rejects.push(RejectedItem { span, subject, events: 1, reason });
        }
    }

    fn find_series(&mut self, link: JsonLdLink<'t>, errors: &mut ItemErrors) -> Option<Rc<Series>> {
        let mut read = || Series::read(link, self.graph, self.conventions, errors).map(Rc::new);
        match link {
            JsonLdLink::Text(_) => read(),
            JsonLdLink::Node(node) => {
                let known = self.series.entry(node.position());
                known.or_insert_with(|| KnownSeries { series: read(), base_event: None }).series.clone()
            }
        }
    }

    fn read_fields(&self, event: EventNode<'t>, parent: Option<&Series>, errors: &mut ItemErrors) -> EventFields {
        let node = event.node();
        let links = |property| self.graph.links_of_event(event, property);
        let performers: Vec<JsonLdLink<'t>> = ["performer", "performers"].into_iter().flat_map(links).collect();
        let performers = read_performers(&performers, self.graph, errors);
        let locations = links("location");
        let inherited_venue = parent.filter(|_| locations.is_empty()).and_then(|parent| parent.venue.clone());
        let venue = read_venue(&locations, self.graph, errors).or(inherited_venue);
        let time_zone = venue.as_ref().and_then(time_zone::of_venue);
        let times = TimeReader { zone: time_zone.unwrap_or(self.conventions.time_zone) };
        let organizers = links("organizer");
        let mut details = read_details(node, &organizers, self.graph, self.conventions, errors);
        let currency = &self.conventions.currency;
        let offers = OfferReader { graph: self.graph, currency, times, errors: &mut *errors }.read(node);
        details.url = details.url.or_else(|| offers.url.clone());
        let is_cancelled = parent.is_some_and(|parent| parent.is_cancelled);
        let inherited_status = if is_cancelled { EventStatus::Cancelled } else { EventStatus::default() };
        EventFields {
            status: read_status(node, errors).unwrap_or(inherited_status),
            details,
            organizer_company_id: read_organizer_id(&organizers, errors),
            performers,
            venue,
            time_zone,
            offers,
        }
    }

    /// The dates of the schedule, or else the date of the event itself.
    fn read_dates(&self, node: JsonLdNode<'t>, times: TimeReader, errors: &mut ItemErrors) -> Result<Vec<ScheduledTime>, String> {
        let schedules = self.graph.nodes(node, "eventSchedule");
        if !schedules.is_empty() {
            match read_schedules(&schedules, node.text("startDate"), (times, self.conventions.month), errors) {
                Ok(dates) if !dates.is_empty() => return Ok(dates),
                Ok(_) => errors.warn("`eventSchedule` has no date; ignored".to_owned()),
                Err(error) => errors.warn(format!("`eventSchedule`: {error}; ignored")),
            }
        }
        let start = node.required("startDate", |text| times.parse(text, DayEdge::Start))?;
        let end = times.read_end(node, &start, errors);
        Ok(vec![ScheduledTime { start, end }])
    }

    fn warn(&mut self, position: usize, subject: &RejectSubject, errors: ItemErrors) {
        for reason in errors.warnings {
            self.feed.warnings.add(FeedWarning { position, subject: Some(subject.clone()), reason });
        }
    }

    /// Adds a base event, or its events to the one of the same series.
    fn push(&mut self, base_event: BaseEventItem, series: Option<JsonLdLink<'t>>) {
        self.items += base_event.events.iter().map(|event| 1 + event.zones.len() + event.performers.len()).sum::<usize>();
        let known = match series {
            Some(JsonLdLink::Node(node)) => self.series.get_mut(&node.position()),
            _ => None,
        };
        let has_title = |known: &&mut KnownSeries| known.series.as_ref().is_some_and(|series| series.title.is_some());
        let Some(known) = known.filter(has_title) else { return self.feed.base_events.push(base_event) };
        match known.base_event.and_then(|index| self.feed.base_events.get_mut(index)) {
            Some(other) => {
                other.span = base_event.span;
                other.events.extend(base_event.events);
            }
            None => {
                known.base_event = Some(self.feed.base_events.len());
                self.feed.base_events.push(base_event);
            }
        }
    }
}

/// The id of an event: the value of the provider's property, if there is one. Else its own id, its URL or the one where to buy.
fn read_id<'t>(
    node: JsonLdNode<'t>,
    graph: &JsonLdGraph<'t>,
    offer_url: Option<&str>,
    is_scheduled: bool,
) -> Result<EventId, String> {
    let own_id = node.own_id();
    let (property, id, is_shared) = match &graph.id_from {
        Some(path) => {
            let id = graph.find_configured_id(node).ok_or_else(|| describe_missing_id(path))?;
            (path.as_str(), id, true)
        }
        None => {
            let id = own_id.or_else(|| node.text("url")).or(offer_url);
            let id = id.ok_or_else(|| describe_missing(&["@id", "identifier", "url"]))?;
            ("@id", id, own_id.is_none() || is_scheduled)
        }
    };
    let id = EventId { text: name_field(property, values::parse_id(id))?, is_shared };
    // The id of a date must be valid, too.
    name_field(property, values::parse_id(&id.with_date(LONGEST_DATE)))?;
    Ok(id)
}

/// The base event of a series with this event, or of the event itself.
fn build_base_event(
    fields: EventFields,
    id: &EventId,
    dates: Vec<ScheduledTime>,
    series: Option<&Series>,
    (title, name): (String, Option<String>),
    span: Range<usize>,
) -> BaseEventItem {
    let EventFields { status, details, organizer_company_id, performers, venue, time_zone, offers } = fields;
    let EventOffers { zones, sold_out, sell_from, sell_to, url: _ } = offers;
    let (source_id, base_details, event_details, organizer) = match series {
        Some(series) => {
            let organizer = series.organizer_company_id.clone().or(organizer_company_id);
            (series.source_id.clone(), series.details.clone(), details.without(&series.details), organizer)
        }
        None => (id.text.clone(), details, ItemDetails::default(), organizer_company_id),
    };
    let name = name.filter(|name| *name != title);
    // Those of a base event play on all its dates.
    let (base_performers, performers) = if dates.len() > 1 { (performers, Vec::new()) } else { (Vec::new(), performers) };
    let events = dates.into_iter().map(|ScheduledTime { start, end }| EventItem {
        source_id: id.with_date(&start.wall_clock),
        name: name.clone(),
        status,
        details: event_details.clone(),
        time_zone,
        start,
        end,
        sell_from: sell_from.clone(),
        sell_to: sell_to.clone(),
        sold_out,
        performers: performers.clone(),
        venue: venue.clone(),
        zones: zones.clone(),
        span: span.clone(),
    });
    let events = events.collect();
    BaseEventItem {
        source_id,
        title,
        sell_mode: ONLINE.to_owned(),
        organizer_company_id: organizer,
        details: base_details,
        performers: base_performers,
        events,
        span,
    }
}
