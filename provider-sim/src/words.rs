//! Word lists for names and titles. All names are fictitious.

/// The name of a performer, unique for each number.
pub(crate) fn performer_name(number: u64) -> String {
    let within = number % PERFORMER_NAMES;
    let (form, rest) = (within % FORMS, within / FORMS);
    let first = list_index(rest / LIST);
    let second = list_index(rest % LIST);
    let name = match form {
        0 => format!("{} {}", ADJECTIVES[first], CREATURES[second]),
        1 => format!("{} & the {}", GIVEN_NAMES[first], CREATURES[second]),
        2 => format!("{} {}", GIVEN_NAMES[first], SURNAMES[second]),
        _ => format!("{} de {}", SPANISH_GROUPS[first], SURNAMES[second]),
    };
    match number / PERFORMER_NAMES {
        0 => name,
        // Large catalogues have more performers than names: further ones get a number.
        round => format!("{name} {}", round + 1),
    }
}

/// The number of names without a number.
pub(crate) const PERFORMER_NAMES: u64 = FORMS * LIST * LIST;

const FORMS: u64 = 4;
const LIST: u64 = 32;

/// An index into a list of [`LIST`] words.
fn list_index(position: u64) -> usize {
    (position % LIST) as usize
}

/// Titles for one performer; `{city}` is the city of the first event.
pub(crate) const SOLO_TITLES: [&str; 16] = [
    "{performer} in concert",
    "{performer} en concierto",
    "{performer} – {work} Tour",
    "{performer} live",
    "{performer} unplugged",
    "{performer} acústico",
    "An evening with {performer}",
    "{performer}: {work}",
    "{work}, by {performer}",
    "{work}",
    "{work}: the musical",
    "{work} (English \"surtitles\")",
    "{performer} & friends",
    "{performer} plays '{work}'",
    "Una noche con {performer}",
    "{performer} at {city}",
];

/// Titles for two performers; `{guest}` is the second.
pub(crate) const DUO_TITLES: [&str; 4] =
    ["{performer} + {guest}", "{performer} con {guest}", "{performer} & {guest}: {work}", "{performer} meets {guest}"];

/// Titles for more performers.
pub(crate) const FESTIVAL_TITLES: [&str; 5] =
    ["{city} Spring Weekender", "Festival de {city}", "{city} <Nights>", "{performer} & guests: {work}", "{work} Festival"];

/// First parts of names of works.
pub(crate) const WORK_HEADS: [&str; 20] = [
    "The Last Winter of",
    "A Map of",
    "Letters to",
    "The Clockmaker of",
    "Nobody Leaves",
    "Breakfast in",
    "Seven Doors to",
    "El Verano de",
    "La Niña de",
    "Adiós,",
    "The Trouble with",
    "Once Around",
    "Goodnight,",
    "Songs for",
    "The Widow of",
    "Return to",
    "Las Cuatro Esquinas de",
    "Half Past",
    "Under",
    "The Quiet Side of",
];

/// Second parts of names of works.
pub(crate) const WORK_TAILS: [&str; 20] = [
    "Kestrel Lane",
    "Saltmarsh",
    "Peñarrubia",
    "Paper Moon Hotel",
    "Ferrowick",
    "Montealba",
    "Orchard Street",
    "Vinterhøj",
    "Villa Cristal",
    "Santa Oliva",
    "Harrow & Vine",
    "Bellamar",
    "Tin Bridge",
    "Ninth Street",
    "Doña Elvira's",
    "Quince Hill",
    "Low Water",
    "Casablanda",
    "Lantern Wharf",
    "Aunt Petra",
];

/// Zone names in the order of their use, and whether seats are numbered.
pub(crate) const ZONE_NAMES: [(&str, bool); 10] = [
    ("Platea", true),
    ("Anfiteatro", true),
    ("Pista", false),
    ("Palco \"A\"", true),
    ("General", false),
    ("Balcony", true),
    ("VIP & lounge", false),
    ("Grada", true),
    ("Galería", true),
    ("Standing", false),
];

/// Fictitious surnames, also used for venues and works.
#[rustfmt::skip] // word lists are more readable in rows
pub(crate) const SURNAMES: [&str; 32] = [
    "Quillmar", "Ostrelund", "Peñalora", "Brackwell", "Sørvang", "Tivorelli", "Halloweth", "Montesquiu",
    "Vandrell", "Ibarrondo", "Kestevan", "Lindqvarn", "Ferrowby", "Arnáldez", "Drummore", "Okonvale",
    "Zubirrain", "Castelfrío", "Wexcombe", "Ribagarda", "Hollinshade", "Münzbach", "Tarradell", "Ekström-Vail",
    "Valdoncella", "Ashgrove", "Piedralba", "Korsvik", "Delacroisse", "Novarraz", "Thistlewane", "Yáñezar",
];

#[rustfmt::skip]
const ADJECTIVES: [&str; 32] = [
    "Copper", "Paper", "Sideways", "Midwinter", "Borrowed", "Crooked", "Tin", "Salted",
    "Lukewarm", "Nocturnal", "Apricot", "Unpaid", "Marble", "Slow", "Tangled", "Dusty",
    "Electric-Blue", "Forgetful", "Left-Handed", "Woollen", "Distant", "Burnt", "Static", "Lopsided",
    "Quarter-Past", "Humming", "Ironclad", "Second-Hand", "Tidal", "Violet", "Weekday", "Porcelain",
];

#[rustfmt::skip]
const CREATURES: [&str; 32] = [
    "Herons", "Lanterns", "Ferries", "Magpies", "Bicycles", "Otters", "Chimneys", "Umbrellas",
    "Turnstiles", "Sparrowhawks", "Accordions", "Lighthouses", "Badgers", "Postcards", "Typewriters", "Moths",
    "Cartographers", "Escalators", "Kingfishers", "Teacups", "Mandarins", "Weathervanes", "Porcupines", "Violas",
    "Signalmen", "Puddles", "Carousels", "Hedgehogs", "Telegrams", "Orchards", "Sleepwalkers", "Gondolas",
];

#[rustfmt::skip]
const GIVEN_NAMES: [&str; 32] = [
    "Ilse", "Ramón", "Odalys", "Bjørn", "Marisol", "Teodoro", "Agnès", "Percy",
    "Xiomara", "Anselm", "Nuria", "Caspian", "Eulalia", "Fergus", "Iñaki", "Jolanda",
    "Leocadia", "Magnus", "Noor", "Oriol", "Philippa", "Quique", "Rosaura", "Søren",
    "Tirso", "Ulrike", "Vesna", "Wilhelmina", "Yolanda", "Zacarías", "Amaia", "Benedikt",
];

#[rustfmt::skip]
const SPANISH_GROUPS: [&str; 32] = [
    "Los Faroles", "Las Golondrinas", "Los Tranvías", "Las Mareas", "Los Relojes", "Las Farolas", "Los Vencejos", "Las Cometas",
    "Los Paraguas", "Las Ventanas", "Los Sifones", "Las Peonzas", "Los Serenos", "Las Acacias", "Los Botijos", "Las Norias",
    "Los Ultramarinos", "Las Veletas", "Los Grillos", "Las Brújulas", "Los Almanaques", "Las Azoteas", "Los Churreros", "Las Linternas",
    "Los Cencerros", "Las Persianas", "Los Adoquines", "Las Cigüeñas", "Los Afiladores", "Las Trenzas", "Los Domingos", "Las Sirenas",
];
