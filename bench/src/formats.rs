//! Reading of JSON-LD, compared with the XML format: `marquee-worker lint` parses and checks a feed without a database.

use std::{
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tokio::process::Command;

use crate::{
    Failure,
    build::Build,
    feed::{BenchFeed, WORDS, split_mix},
    samples::Samples,
    settings::SyncSettings,
    table::{Table, progress},
};

/// The minimum share of the XML format's bytes per second.
const OF_XML: f64 = 1.0 / 3.0;
/// The average size of an event as JSON-LD, measured.
const EVENT_BYTES: u64 = 842;
/// JSON-LD is limited to 64 MiB.
const MAX_MIB: u64 = 50;
const OFFERS: u64 = 4;
const SECTIONS: [&str; OFFERS as usize] = ["Platea", "Grada 2", "Anfiteatro", "A28"];

pub(crate) async fn measure(settings: &SyncSettings, table: &mut Table) -> Result<(), Failure> {
    let mib = settings.feed_mib.min(MAX_MIB);
    let folder = tempfile::TempDir::new()?;
    let documents = [
        ("schema-org-json", serde_json::to_vec(&json_ld(mib * 1024 * 1024 / EVENT_BYTES))?),
        ("event-list-xml", BenchFeed::with_mib(mib).bytes().to_vec()),
    ];
    let mut rates = [(); 2].map(|()| Samples::per_second());
    for round in 0..settings.rounds {
        progress(format_args!("formats, round {} of {}", round + 1, settings.rounds));
        for ((format, document), rates) in documents.iter().zip(&mut rates) {
            let file = folder.path().join(format);
            std::fs::write(&file, document)?;
            let seconds = lint(format, &file).await?.as_secs_f64();
            rates.push_number(document.len() as f64 / seconds);
        }
    }
    let work = format!("bytes of schema-org-json per second, {mib} MiB; baseline: event-list-xml");
    table.ratio_at_least(&work, &rates[0], &rates[1], OF_XML);
    Ok(())
}

async fn lint(format: &str, file: &Path) -> Result<Duration, Failure> {
    let mut command = Command::new(Build::default().find("marquee-worker")?);
    command.args(["lint", "--format", format]).arg(file).stdin(Stdio::null());
    let started = Instant::now();
    let output = command.output().await?;
    let elapsed = started.elapsed();
    if output.status.success() {
        return Ok(elapsed);
    }
    Err(format!("{format}: {}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr)).into())
}

/// Events as nodes of an array, each with its venue, a performer and offers.
fn json_ld(events: u64) -> Value {
    (0..events).map(event).collect()
}

fn event(index: u64) -> Value {
    let random = split_mix(index);
    let (month, day, hour) = (random % 12 + 1, random / 12 % 28 + 1, random / 336 % 3 + 19);
    let (venue, performer) = (random / 4 % 300, random / 4 % 5_000);
    let url = format!("https://tickets.example/events/{index}");
    let offer = |number: u64| {
        json!({
            "@type": "Offer", "sku": (random % 400 + number).to_string(), "name": SECTIONS[number as usize],
            "price": format!("{}.50", 15 + random % 80 + 5 * number), "priceCurrency": "EUR", "availability": "https://schema.org/InStock",
        })
    };
    json!({
        "@context": "https://schema.org", "@type": "MusicEvent", "@id": url, "identifier": index.to_string(), "url": url,
        "name": format!("{} en concierto, temporada {}", word(random), random % 1_009),
        "startDate": format!("2026-{month:02}-{day:02}T{hour:02}:00:00+02:00"),
        "endDate": format!("2026-{month:02}-{day:02}T{:02}:30:00+02:00", hour + 1),
        "location": {
            "@type": "MusicVenue", "identifier": venue.to_string(), "name": format!("Sala {}", word(venue)),
            "geo": { "latitude": 40.0 + venue as f64 / 1_000.0, "longitude": -3.0 - venue as f64 / 1_000.0 },
        },
        "performer": { "@type": "MusicGroup", "identifier": performer.to_string(), "name": word(performer) },
        "offers": (0..OFFERS).map(offer).collect::<Vec<_>>(),
    })
}

fn word(number: u64) -> &'static str {
    WORDS[(number % 16) as usize]
}
