//! Details that make a catalogue look like that of a real provider: statuses, categories, texts in the language of the city, organizers,
//! links, pictures and addresses.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use crate::cities::City;
use crate::model::{SimAddress, SimBaseEvent, SimDetails, SimStatus};
use crate::picture;
use crate::words;

/// The words of a language.
struct Language {
    /// Countries, as ISO 3166-1 alpha-2 codes.
    countries: &'static [&'static str],
    /// `{}` is replaced with a name, and `#` with a number.
    streets: &'static [&'static str],
    /// What the show is about; `{performer}` is the first performer.
    openings: &'static [&'static str],
    /// Practical information.
    closings: &'static [&'static str],
    /// Names of single events.
    event_names: &'static [&'static str],
}

/// The last one is that of all other countries.
const LANGUAGES: [Language; 5] = [
    Language {
        countries: &["AR", "CL", "CO", "ES", "MX", "PE"],
        streets: &["Calle {}, #", "Avenida {}, #", "Plaza {}, #"],
        openings: &[
            "{performer} vuelve con un repertorio nuevo después de dos años de gira.",
            "Una sola noche: {performer} interpreta sus canciones más conocidas.",
            "Una historia de cartas perdidas, trenes con retraso y una orquesta muy pequeña.",
            "Estrenos y clásicos en una velada sin descanso.",
        ],
        closings: &[
            "Las puertas abren una hora antes.",
            "Recomendado a partir de 12 años.",
            "Recinto accesible en silla de ruedas.",
            "Duración aproximada: 90 minutos.",
        ],
        event_names: &["Estreno", "Función de tarde", "Función familiar", "Última función"],
    },
    Language {
        countries: &["BE", "CA", "FR"],
        streets: &["# rue {}", "# avenue {}", "# place {}"],
        openings: &[
            "{performer} revient avec un nouveau répertoire après deux ans de tournée.",
            "Un soir seulement : {performer} joue ses plus grands succès.",
            "Une histoire de lettres perdues, de trains en retard et d'un tout petit orchestre.",
            "Créations et classiques, sans entracte.",
        ],
        closings: &[
            "Ouverture des portes une heure avant le spectacle.",
            "À partir de 12 ans.",
            "Salle accessible aux fauteuils roulants.",
            "Durée : 90 minutes environ.",
        ],
        event_names: &["Première", "Matinée", "Séance familiale", "Dernière"],
    },
    Language {
        countries: &["AT", "CH", "DE"],
        streets: &["{}straße #", "{}platz #", "Am {}hof #"],
        openings: &[
            "{performer} kommt nach zwei Jahren auf Tournee mit neuem Programm zurück.",
            "Nur an einem Abend: {performer} spielt die bekanntesten Lieder.",
            "Eine Geschichte von verlorenen Briefen, verspäteten Zügen und einem sehr kleinen Orchester.",
            "Neues und Bekanntes, ohne Pause.",
        ],
        closings: &[
            "Einlass eine Stunde vor Beginn.",
            "Empfohlen ab 12 Jahren.",
            "Der Saal ist barrierefrei.",
            "Dauer: etwa 90 Minuten.",
        ],
        event_names: &["Premiere", "Nachmittagsvorstellung", "Familienvorstellung", "Derniere"],
    },
    Language {
        countries: &["AU", "GB", "IE", "NZ", "US", "ZA"],
        streets: &["# {} Street", "# {} Road", "# {} Square"],
        openings: OPENINGS,
        closings: CLOSINGS,
        event_names: EVENT_NAMES,
    },
    Language {
        countries: &[],
        streets: &["{} #", "{} Boulevard #", "{} Quay #"],
        openings: OPENINGS,
        closings: CLOSINGS,
        event_names: EVENT_NAMES,
    },
];

const OPENINGS: &[&str] = &[
    "{performer} returns with a new programme after two years on tour.",
    "One night only: {performer} plays the songs that everyone knows.",
    "A story of lost letters, late trains and a very small orchestra.",
    "New work and old favourites, without an interval.",
];
const CLOSINGS: &[&str] = &[
    "Doors open one hour before the start.",
    "Recommended from 12 years.",
    "The venue is accessible by wheelchair.",
    "Running time: about 90 minutes.",
];
const EVENT_NAMES: &[&str] = &["Opening night", "Matinee", "Family performance", "Closing night"];

/// Categories of shows that neither their title nor their performers determine. Concerts are the most frequent.
const CATEGORIES: [&str; 16] = [
    "Concert",
    "Concert",
    "Concert",
    "Concert",
    "Rock",
    "Pop",
    "Jazz",
    "Flamenco",
    "Classical",
    "Folk",
    "Comedy",
    "Comedy",
    "Theatre",
    "Theatre",
    "Dance",
    "Family",
];

const ORGANIZERS: [&str; 5] = ["{} Live", "{} Productions", "{} Presents", "Grupo {}", "{} & Partners"];

/// Adds the details of a base event and its events.
pub(crate) fn add(base_event: &mut SimBaseEvent, city: &City, random: &mut ChaCha8Rng) {
    let language = language_of(city);
    let performer = base_event.performers.first().map_or("", |performer| performer.name.as_str());
    let description = format!("{} {}", pick(language.openings, random), pick(language.closings, random));
    base_event.details = SimDetails {
        category: Some(choose_category(base_event, random)),
        description: Some(description.replace("{performer}", performer)),
        organizer_name: base_event.organizer_company_id.map(name_organizer),
        image_url: None,
        url: random.random_ratio(19, 20).then(|| format!("https://tickets.example/shows/{}", base_event.id)),
    };
    let is_series = base_event.events.len() > 1;
    for event in &mut base_event.events {
        event.status = Some(match random.random_range(0..100) {
            0..3 => SimStatus::Cancelled,
            3 => SimStatus::Postponed,
            4 => SimStatus::Rescheduled,
            5 => SimStatus::MovedOnline,
            _ => SimStatus::Scheduled,
        });
        event.name = (is_series && random.random_ratio(1, 8)).then(|| pick(language.event_names, random));
    }
    base_event.details.image_url = random.random_ratio(9, 10).then(|| picture::path_of(base_event.id));
}

/// The address of a venue in a city.
pub(crate) fn generate_address(city: &City, random: &mut ChaCha8Rng) -> SimAddress {
    let number: u32 = random.random_range(1..=180);
    let street = pick(language_of(city).streets, random).replace("{}", pick(&words::SURNAMES, random));
    let digit = |character| if character == '#' { char::from(b'0' + random.random_range(0..10)) } else { character };
    SimAddress {
        postal_code: city.postal_code.chars().map(digit).collect(),
        street: street.replace('#', &number.to_string()),
        city: city.name,
        region: city.region,
        country: city.country(),
        time_zone: city.time_zone,
    }
}

fn choose_category(base_event: &SimBaseEvent, random: &mut ChaCha8Rng) -> &'static str {
    let has = |word: &str| base_event.title.contains(word);
    if has("musical") {
        "Musical"
    } else if has("surtitles") {
        "Opera"
    } else if has("concert") || has("concierto") || has("acústico") || has("unplugged") {
        "Concert"
    } else if base_event.performers.len() > 2 {
        "Festival"
    } else {
        pick(&CATEGORIES, random)
    }
}

fn name_organizer(company: u32) -> String {
    let index = company as usize;
    ORGANIZERS[index % ORGANIZERS.len()].replace("{}", words::SURNAMES[index % words::SURNAMES.len()])
}

fn language_of(city: &City) -> &'static Language {
    let [languages @ .., others] = &LANGUAGES;
    languages.iter().find(|language| language.countries.contains(&city.country())).unwrap_or(others)
}

fn pick(words: &'static [&'static str], random: &mut ChaCha8Rng) -> &'static str {
    words[random.random_range(0..words.len())]
}
