//! `.csv`: events as a table ([RFC 4180](https://www.rfc-editor.org/rfc/rfc4180)), safe to open with a spreadsheet.

use std::borrow::Cow;

use csv::{Terminator, WriterBuilder};
use serde::Serialize;

use super::{ExportContext, ExportFormat, text::clean};
use crate::{
    error::ApiError,
    find::EventView,
    resources::events::{Event, event::EventVenue},
    response::{FileFormat, Nullable},
};

/// The columns. A column of its event has the name of the member, and one of the venue or the provider its prefix.
const COLUMNS: [&str; 44] = [
    "id",
    "title",
    "name",
    "base_event_id",
    "status",
    "availability",
    "listed",
    "starts_at",
    "ends_at",
    "start_date",
    "start_time",
    "end_date",
    "end_time",
    "time_zone",
    "min_price",
    "max_price",
    "currency",
    "category",
    "description",
    "url",
    "image_url",
    "performers",
    "venue_id",
    "venue",
    "latitude",
    "longitude",
    "place_code",
    "address",
    "postal_code",
    "city",
    "region",
    "country",
    "organizer",
    "provider",
    "provider_name",
    "licence",
    "attribution",
    "sell_from",
    "sell_to",
    "distance_km",
    "first_seen_at",
    "updated_at",
    "left_at",
    "previous_start_at",
];
/// What separates the names of several performers.
const SEPARATOR: &str = "; ";
/// Spreadsheets calculate a cell that begins with one of these, and may contact another server or start a program
/// ([OWASP](https://owasp.org/www-community/attacks/CSV_Injection)).
const FORMULA_STARTS: [char; 6] = ['=', '+', '-', '@', '\t', '\n'];
/// A buffer for a field: the output is memory already.
const BUFFER_BYTES: usize = 64;

/// A table while it is written.
#[derive(Clone, Debug)]
pub(crate) struct Csv {
    has_point: bool,
}

impl FileFormat for Csv {
    const FILE_NAME: Option<&'static str> = Some("events.csv");
    const MEDIA_TYPE: &'static str = "text/csv; charset=utf-8; header=present";

    type Schema = String;
}

impl ExportFormat for Csv {
    const PATH: &'static str = "/events.csv";
    const TAIL: &'static [u8] = b"";

    fn new(context: &ExportContext) -> Self {
        Self { has_point: context.has_point }
    }

    fn write(&mut self, event: EventView, body: &mut Vec<u8>) -> Result<(), ApiError> {
        let cells = cells(&Event::new(event, self.has_point))?;
        write_record(body, cells.iter().map(|cell| escape_formula(cell)))
    }

    fn head(&self, _: &ExportContext) -> Result<Vec<u8>, ApiError> {
        let mut head = Vec::new();
        write_record(&mut head, COLUMNS)?;
        Ok(head)
    }
}

fn write_record<T: AsRef<[u8]>>(body: &mut Vec<u8>, cells: impl IntoIterator<Item = T>) -> Result<(), ApiError> {
    let mut writer = WriterBuilder::new().terminator(Terminator::CRLF).buffer_capacity(BUFFER_BYTES).from_writer(body);
    writer.write_record(cells).and_then(|()| Ok(writer.flush()?)).map_err(|_| ApiError::ResponseBody)
}

/// The cells of an event. Absent values are empty.
fn cells(event: &Event) -> Result<[String; COLUMNS.len()], ApiError> {
    let performers: Vec<&str> = event.performers.iter().map(|performer| performer.name.as_str()).collect();
    let of_venue = |column: fn(&EventVenue) -> &Nullable<String>| {
        event.venue.0.as_ref().and_then(|venue| column(venue).0.clone()).unwrap_or_default()
    };
    let venue = event.venue.0.as_ref();
    Ok([
        event.id.0.clone(),
        event.title.clone(),
        optional(&event.name),
        event.base_event_id.0.clone(),
        name_of(&event.status)?,
        name_of(&event.availability)?,
        event.listed.to_string(),
        event.starts_at.0.clone(),
        event.ends_at.0.clone(),
        event.start_date.0.clone(),
        event.start_time.0.as_ref().map(|time| time.0.clone()).unwrap_or_default(),
        event.end_date.0.as_ref().map(|date| date.0.clone()).unwrap_or_default(),
        event.end_time.0.as_ref().map(|time| time.0.clone()).unwrap_or_default(),
        event.time_zone.clone(),
        optional(&event.min_price),
        optional(&event.max_price),
        event.currency.0.clone(),
        optional(&event.category),
        optional(&event.description),
        optional(&event.url),
        optional(&event.image_url),
        performers.join(SEPARATOR),
        venue.map(|venue| venue.uuid.0.clone()).unwrap_or_default(),
        venue.map(|venue| venue.name.clone()).unwrap_or_default(),
        venue.map(|venue| optional(&venue.latitude)).unwrap_or_default(),
        venue.map(|venue| optional(&venue.longitude)).unwrap_or_default(),
        of_venue(|venue| &venue.place_code),
        of_venue(|venue| &venue.address),
        of_venue(|venue| &venue.postal_code),
        of_venue(|venue| &venue.city),
        of_venue(|venue| &venue.region),
        of_venue(|venue| &venue.country),
        optional(&event.organizer),
        event.provider.slug.0.clone(),
        optional(&event.provider.name),
        optional(&event.provider.licence),
        optional(&event.provider.attribution),
        event.sell_from.0.as_ref().map(|time| time.0.clone()).unwrap_or_default(),
        event.sell_to.0.as_ref().map(|time| time.0.clone()).unwrap_or_default(),
        optional(&event.distance_km),
        event.first_seen_at.0.clone(),
        event.updated_at.0.clone(),
        event.left_at.0.as_ref().map(|instant| instant.0.clone()).unwrap_or_default(),
        event.previous_start_at.0.as_ref().map(|instant| instant.0.clone()).unwrap_or_default(),
    ])
}

fn optional<T: ToString>(value: &Nullable<T>) -> String {
    value.0.as_ref().map(T::to_string).unwrap_or_default()
}

/// The name of a value in JSON.
fn name_of(value: &impl Serialize) -> Result<String, ApiError> {
    let name = serde_json::to_value(value).map_err(ApiError::Encoding)?;
    Ok(name.as_str().unwrap_or_default().to_owned())
}

/// A cell that no spreadsheet calculates: an apostrophe marks it as text. Numbers remain numbers.
fn escape_formula(cell: &str) -> String {
    let cell = clean(cell);
    let is_number = cell.parse::<f64>().is_ok_and(f64::is_finite);
    if cell.starts_with(FORMULA_STARTS) && !is_number { format!("'{cell}") } else { Cow::into_owned(cell) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_formula_is_a_text() {
        for (cell, expected) in [
            ("=cmd()", "'=cmd()"),
            ("+1+1", "'+1+1"),
            ("-1+1", "'-1+1"),
            ("@SUM(1)", "'@SUM(1)"),
            ("\t=1", "'\t=1"),
            ("\r=1", "'\n=1"),
            ("-1.5", "-1.5"),
            ("-infinity", "'-infinity"),
            ("a=1", "a=1"),
            ("", ""),
        ] {
            assert_eq!(escape_formula(cell), expected);
        }
    }

    #[test]
    fn cells_with_delimiters_are_quoted() {
        let mut body = Vec::new();
        write_record(&mut body, ["a", "b,c", "d\"e", "f\ng", "", " h "]).unwrap();
        assert_eq!(String::from_utf8(body).unwrap(), "a,\"b,c\",\"d\"\"e\",\"f\ng\",, h \r\n");
    }
}
