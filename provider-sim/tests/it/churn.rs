//! Changes of the catalogue from poll to poll.

use provider_sim::{SimBaseEvent, SimCatalogue, SimEvent};

fn churning(churn: f64) -> SimCatalogue {
    SimCatalogue { events: 2_500, churn, ..SimCatalogue::default() }
}

/// All base events at a poll, `None` for those that are removed.
fn base_events_at(catalogue: &SimCatalogue, poll: u64) -> Vec<Option<SimBaseEvent>> {
    (0..catalogue.base_event_count()).map(|index| catalogue.base_event(index, poll)).collect()
}

/// The kinds of differences between two states of a base event; panics if an immutable property differs.
fn differences(before: &SimBaseEvent, after: &SimBaseEvent) -> Vec<&'static str> {
    let mut kinds = Vec::new();
    if before.title != after.title {
        kinds.push("title");
    }
    assert_eq!(
        SimBaseEvent { title: String::new(), events: Vec::new(), ..before.clone() },
        SimBaseEvent { title: String::new(), events: Vec::new(), ..after.clone() }
    );
    assert_eq!(before.events.len(), after.events.len());
    for (before, after) in before.events.iter().zip(&after.events) {
        kinds.extend(event_differences(before, after));
    }
    kinds
}

fn event_differences(before: &SimEvent, after: &SimEvent) -> Option<&'static str> {
    if before == after {
        return None;
    }
    let mut patched = before.clone();
    if before.sold_out != after.sold_out {
        patched.sold_out = after.sold_out;
        patched.zones.clone_from(&after.zones);
        assert_eq!(&patched, after);
        return Some("sold_out");
    }
    if before.starts != after.starts {
        patched.starts = after.starts;
        patched.ends = after.ends;
        assert_eq!(&patched, after);
        return Some("start");
    }
    let is_price = before.zones[0].price_cents != after.zones[0].price_cents;
    patched.zones[0] = after.zones[0].clone();
    assert_eq!(&patched, after);
    assert!(is_price != (before.zones[0].capacity != after.zones[0].capacity));
    Some(if is_price { "price" } else { "capacity" })
}

#[test]
fn without_churn_nothing_changes() {
    assert!(churning(0.0).feed(0) == churning(0.0).feed(1_000_000));
}

#[test]
fn poll_0_does_not_depend_on_churn() {
    assert!(churning(0.0).feed(0) == churning(37.5).feed(0));
}

#[test]
fn each_poll_changes_one_value_of_the_given_percentage() {
    let catalogue = churning(10.0);
    let mut seen = Vec::new();
    for poll in [0, 1, 50, 1_000_000] {
        let (before, after) = (base_events_at(&catalogue, poll), base_events_at(&catalogue, poll + 1));
        let mut changed = 0;
        for (before, after) in before.iter().zip(&after).filter(|(before, after)| before != after) {
            changed += 1;
            match (before, after) {
                (Some(before), Some(after)) => {
                    let kinds = differences(before, after);
                    assert_eq!(kinds.len(), 1, "{kinds:?}");
                    seen.extend(kinds);
                }
                _ => seen.push("presence"),
            }
        }
        let percent = f64::from(changed) * 100.0 / before.len() as f64;
        assert!((8.0..12.0).contains(&percent), "poll {poll}: {percent} %");
    }
    for kind in ["title", "price", "capacity", "sold_out", "start", "presence"] {
        assert!(seen.contains(&kind), "{kind}");
    }
}

#[test]
fn full_churn_changes_every_base_event_at_every_poll() {
    let catalogue = SimCatalogue { events: 200, ..churning(100.0) };
    for poll in 0..50 {
        for (before, after) in base_events_at(&catalogue, poll).iter().zip(&base_events_at(&catalogue, poll + 1)) {
            assert_ne!(before, after);
        }
    }
}

#[test]
fn removed_base_events_return() {
    let catalogue = SimCatalogue { events: 100, ..churning(25.0) };
    for index in 0..catalogue.base_event_count() {
        let present: Vec<bool> = (0..100).map(|poll| catalogue.base_event(index, poll).is_some()).collect();
        let first_removed =
            present.iter().position(|&is_present| !is_present).expect("each base event is removed once per cycle");
        assert!(present[first_removed..].contains(&true));
    }
}
