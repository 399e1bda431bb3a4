//! Builders of small feeds.

/// A complete feed of these base events.
pub(crate) fn feed(base_events: &[String]) -> String {
    let base_events = base_events.join("\n    ");
    format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<eventList>\n  <output>\n    {base_events}\n  </output>\n</eventList>\n")
}

pub(crate) fn base_event(id: &str, sell_mode: &str, title: &str, events: &[String]) -> String {
    let events = events.concat();
    format!("<base_event base_event_id=\"{id}\" sell_mode=\"{sell_mode}\" title=\"{title}\">{events}</base_event>")
}

/// A base event that is sold online.
pub(crate) fn online(id: &str, events: &[String]) -> String {
    base_event(id, "online", &format!("Show {id}"), events)
}

/// A base event that is not sold online.
pub(crate) fn offline(id: &str, events: &[String]) -> String {
    base_event(id, "offline", &format!("Show {id}"), events)
}

/// An event on a summer evening with a zone for each price.
pub(crate) fn event(id: &str, prices: &[&str]) -> String {
    let zones: String = (1..)
        .zip(prices)
        .map(|(zone, price)| format!("<zone zone_id=\"{zone}\" capacity=\"9\" price=\"{price}\" name=\"Zone {zone}\"/>"))
        .collect();
    format!(
        "<event event_id=\"{id}\" event_start_date=\"2031-07-01T20:00:00\" event_end_date=\"2031-07-01T22:00:00\">{zones}</event>"
    )
}

/// An event that is rejected.
pub(crate) fn invalid_event(id: &str) -> String {
    event(id, &["1.00"]).replace("2031-07-01T20:00:00", "2031-02-30T20:00:00")
}
