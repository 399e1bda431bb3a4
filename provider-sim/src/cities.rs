//! The cities of the generated venues: real coordinates and place codes, so that searches by distance or place code return
//! realistic results.

/// A city.
pub(crate) struct City {
    pub(crate) name: &'static str,
    /// UN/LOCODE.
    pub(crate) place_code: &'static str,
    /// Latitude of the center.
    pub(crate) latitude: f64,
    /// Longitude of the center.
    pub(crate) longitude: f64,
    /// Templates of venue names; `{}` is replaced with a surname.
    pub(crate) venue_forms: &'static [&'static str],
}

#[rustfmt::skip] // one city per line
pub(crate) const CITIES: [City; 44] = [
    city("Amsterdam", "NLAMS", 52.3676, 4.9041, CENTRAL),
    city("Athens", "GRATH", 37.9838, 23.7275, CENTRAL),
    city("Auckland", "NZAKL", -36.8509, 174.7645, ENGLISH),
    city("Barcelona", "ESBCN", 41.3874, 2.1686, SPANISH),
    city("Berlin", "DEBER", 52.5200, 13.4050, CENTRAL),
    city("Bilbao", "ESBIO", 43.2630, -2.9350, SPANISH),
    city("Bogotá", "COBOG", 4.7110, -74.0721, SPANISH),
    city("Brussels", "BEBRU", 50.8503, 4.3517, FRENCH),
    city("Budapest", "HUBUD", 47.4979, 19.0402, CENTRAL),
    city("Buenos Aires", "ARBUE", -34.6037, -58.3816, SPANISH),
    city("Cape Town", "ZACPT", -33.9249, 18.4241, ENGLISH),
    city("Chicago", "USCHI", 41.8781, -87.6298, ENGLISH),
    city("Copenhagen", "DKCPH", 55.6761, 12.5683, NORDIC),
    city("Dublin", "IEDUB", 53.3498, -6.2603, ENGLISH),
    city("Hamburg", "DEHAM", 53.5511, 9.9937, CENTRAL),
    city("Helsinki", "FIHEL", 60.1699, 24.9384, NORDIC),
    city("Lima", "PELIM", -12.0464, -77.0428, SPANISH),
    city("Lisbon", "PTLIS", 38.7223, -9.1393, SPANISH),
    city("London", "GBLON", 51.5074, -0.1278, ENGLISH),
    city("Los Angeles", "USLAX", 34.0522, -118.2437, ENGLISH),
    city("Lyon", "FRLIO", 45.7640, 4.8357, FRENCH),
    city("Madrid", "ESMAD", 40.4168, -3.7038, SPANISH),
    city("Málaga", "ESAGP", 36.7213, -4.4214, SPANISH),
    city("Marseille", "FRMRS", 43.2965, 5.3698, FRENCH),
    city("Melbourne", "AUMEL", -37.8136, 144.9631, ENGLISH),
    city("Mexico City", "MXMEX", 19.4326, -99.1332, SPANISH),
    city("Milan", "ITMIL", 45.4642, 9.1900, CENTRAL),
    city("Montréal", "CAMTR", 45.5019, -73.5674, FRENCH),
    city("New York", "USNYC", 40.7128, -74.0060, ENGLISH),
    city("Oslo", "NOOSL", 59.9139, 10.7522, NORDIC),
    city("Paris", "FRPAR", 48.8566, 2.3522, FRENCH),
    city("Prague", "CZPRG", 50.0755, 14.4378, CENTRAL),
    city("Rome", "ITROM", 41.9028, 12.4964, CENTRAL),
    city("Santiago", "CLSCL", -33.4489, -70.6693, SPANISH),
    city("São Paulo", "BRSAO", -23.5505, -46.6333, SPANISH),
    city("Sevilla", "ESSVQ", 37.3891, -5.9845, SPANISH),
    city("Stockholm", "SESTO", 59.3293, 18.0686, NORDIC),
    city("Sydney", "AUSYD", -33.8688, 151.2093, ENGLISH),
    city("Tokyo", "JPTYO", 35.6762, 139.6503, CENTRAL),
    city("Toronto", "CATOR", 43.6532, -79.3832, ENGLISH),
    city("Valencia", "ESVLC", 39.4699, -0.3763, SPANISH),
    city("Vienna", "ATVIE", 48.2082, 16.3738, CENTRAL),
    city("Warsaw", "PLWAW", 52.2297, 21.0122, CENTRAL),
    city("Zürich", "CHZRH", 47.3769, 8.5417, CENTRAL),
];

const SPANISH: &[&str] = &["Sala {}", "Teatro {}", "Peña {}", "Auditorio {}", "Café {} & Compañía", "Jardín de {}", "Palacio {}"];

const ENGLISH: &[&str] =
    &["{} Hall", "The {} Rooms", "{}'s Yard", "Old {} Playhouse", "O'{} & Sons", "{} Arena", "The Saint {} Assembly"];

const FRENCH: &[&str] = &["Théâtre {}", "L'Atelier {}", "Salle {}", "La Crémerie d'{}", "Chez {} & Fils", "Opéra {}"];

const NORDIC: &[&str] = &["{} Kulturhus", "Østre {} Scene", "Gamle {}", "Sørside & {}", "{} Sal nr. 5", "Köket {}"];

const CENTRAL: &[&str] = &["{} Saal", "Atelier {}", "Club {} 44", "Forum {}", "{} & Töchter", "Casa dell'{}"];

const fn city(
    name: &'static str,
    place_code: &'static str,
    latitude: f64,
    longitude: f64,
    venue_forms: &'static [&'static str],
) -> City {
    City { name, place_code, latitude, longitude, venue_forms }
}
