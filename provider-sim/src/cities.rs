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
    /// Region, state or province.
    pub(crate) region: &'static str,
    /// Template of postal codes; `#` is replaced with a digit.
    pub(crate) postal_code: &'static str,
    /// IANA time zone.
    pub(crate) time_zone: &'static str,
}

impl City {
    /// The ISO 3166-1 alpha-2 code of its country, with which the place code begins.
    pub(crate) fn country(&self) -> &'static str {
        self.place_code.split_at(2).0
    }
}

#[rustfmt::skip] // one city per line
pub(crate) const CITIES: [City; 44] = [
    city("Amsterdam", "NLAMS", (52.3676, 4.9041), CENTRAL, "Noord-Holland", "10## AB", "Europe/Amsterdam"),
    city("Athens", "GRATH", (37.9838, 23.7275), CENTRAL, "Attica", "105 ##", "Europe/Athens"),
    city("Auckland", "NZAKL", (-36.8509, 174.7645), ENGLISH, "Auckland", "10##", "Pacific/Auckland"),
    city("Barcelona", "ESBCN", (41.3874, 2.1686), SPANISH, "Cataluña", "080##", "Europe/Madrid"),
    city("Berlin", "DEBER", (52.5200, 13.4050), CENTRAL, "Berlin", "101##", "Europe/Berlin"),
    city("Bilbao", "ESBIO", (43.2630, -2.9350), SPANISH, "País Vasco", "4800#", "Europe/Madrid"),
    city("Bogotá", "COBOG", (4.7110, -74.0721), SPANISH, "Cundinamarca", "1112##", "America/Bogota"),
    city("Brussels", "BEBRU", (50.8503, 4.3517), FRENCH, "Bruxelles", "10#0", "Europe/Brussels"),
    city("Budapest", "HUBUD", (47.4979, 19.0402), CENTRAL, "Budapest", "10#1", "Europe/Budapest"),
    city("Buenos Aires", "ARBUE", (-34.6037, -58.3816), SPANISH, "Buenos Aires", "C10##", "America/Argentina/Buenos_Aires"),
    city("Cape Town", "ZACPT", (-33.9249, 18.4241), ENGLISH, "Western Cape", "80##", "Africa/Johannesburg"),
    city("Chicago", "USCHI", (41.8781, -87.6298), ENGLISH, "Illinois", "606##", "America/Chicago"),
    city("Copenhagen", "DKCPH", (55.6761, 12.5683), NORDIC, "Hovedstaden", "1##0", "Europe/Copenhagen"),
    city("Dublin", "IEDUB", (53.3498, -6.2603), ENGLISH, "Leinster", "D0# X2##", "Europe/Dublin"),
    city("Hamburg", "DEHAM", (53.5511, 9.9937), CENTRAL, "Hamburg", "200##", "Europe/Berlin"),
    city("Helsinki", "FIHEL", (60.1699, 24.9384), NORDIC, "Uusimaa", "001#0", "Europe/Helsinki"),
    city("Lima", "PELIM", (-12.0464, -77.0428), SPANISH, "Lima", "150##", "America/Lima"),
    city("Lisbon", "PTLIS", (38.7223, -9.1393), SPANISH, "Lisboa", "1##0-0##", "Europe/Lisbon"),
    city("London", "GBLON", (51.5074, -0.1278), ENGLISH, "Greater London", "SE# #AA", "Europe/London"),
    city("Los Angeles", "USLAX", (34.0522, -118.2437), ENGLISH, "California", "900##", "America/Los_Angeles"),
    city("Lyon", "FRLIO", (45.7640, 4.8357), FRENCH, "Auvergne-Rhône-Alpes", "6900#", "Europe/Paris"),
    city("Madrid", "ESMAD", (40.4168, -3.7038), SPANISH, "Comunidad de Madrid", "280##", "Europe/Madrid"),
    city("Málaga", "ESAGP", (36.7213, -4.4214), SPANISH, "Andalucía", "290##", "Europe/Madrid"),
    city("Marseille", "FRMRS", (43.2965, 5.3698), FRENCH, "Provence-Alpes-Côte d'Azur", "1300#", "Europe/Paris"),
    city("Melbourne", "AUMEL", (-37.8136, 144.9631), ENGLISH, "Victoria", "30##", "Australia/Melbourne"),
    city("Mexico City", "MXMEX", (19.4326, -99.1332), SPANISH, "Ciudad de México", "06###", "America/Mexico_City"),
    city("Milan", "ITMIL", (45.4642, 9.1900), CENTRAL, "Lombardia", "201##", "Europe/Rome"),
    city("Montréal", "CAMTR", (45.5019, -73.5674), FRENCH, "Québec", "H2# #A1", "America/Toronto"),
    city("New York", "USNYC", (40.7128, -74.0060), ENGLISH, "New York", "100##", "America/New_York"),
    city("Oslo", "NOOSL", (59.9139, 10.7522), NORDIC, "Oslo", "01##", "Europe/Oslo"),
    city("Paris", "FRPAR", (48.8566, 2.3522), FRENCH, "Île-de-France", "750##", "Europe/Paris"),
    city("Prague", "CZPRG", (50.0755, 14.4378), CENTRAL, "Praha", "110 ##", "Europe/Prague"),
    city("Rome", "ITROM", (41.9028, 12.4964), CENTRAL, "Lazio", "001##", "Europe/Rome"),
    city("Santiago", "CLSCL", (-33.4489, -70.6693), SPANISH, "Región Metropolitana", "83#0###", "America/Santiago"),
    city("São Paulo", "BRSAO", (-23.5505, -46.6333), SPANISH, "São Paulo", "01##0-0##", "America/Sao_Paulo"),
    city("Sevilla", "ESSVQ", (37.3891, -5.9845), SPANISH, "Andalucía", "410##", "Europe/Madrid"),
    city("Stockholm", "SESTO", (59.3293, 18.0686), NORDIC, "Stockholms län", "111 ##", "Europe/Stockholm"),
    city("Sydney", "AUSYD", (-33.8688, 151.2093), ENGLISH, "New South Wales", "20##", "Australia/Sydney"),
    city("Tokyo", "JPTYO", (35.6762, 139.6503), CENTRAL, "Tokyo", "10#-00##", "Asia/Tokyo"),
    city("Toronto", "CATOR", (43.6532, -79.3832), ENGLISH, "Ontario", "M5# #A1", "America/Toronto"),
    city("Valencia", "ESVLC", (39.4699, -0.3763), SPANISH, "Comunitat Valenciana", "460##", "Europe/Madrid"),
    city("Vienna", "ATVIE", (48.2082, 16.3738), CENTRAL, "Wien", "10#0", "Europe/Vienna"),
    city("Warsaw", "PLWAW", (52.2297, 21.0122), CENTRAL, "Mazowieckie", "00-1##", "Europe/Warsaw"),
    city("Zürich", "CHZRH", (47.3769, 8.5417), CENTRAL, "Zürich", "80##", "Europe/Zurich"),
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
    (latitude, longitude): (f64, f64),
    venue_forms: &'static [&'static str],
    region: &'static str,
    postal_code: &'static str,
    time_zone: &'static str,
) -> City {
    City { name, place_code, latitude, longitude, venue_forms, region, postal_code, time_zone }
}
