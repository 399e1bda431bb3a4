//! Countries as publishers write them: a code of ISO 3166, or a name.

use entity::fold_name;
use iso_currency::Country;

use super::quote::quote;

/// Three-letter codes, and names that are not in ISO's table of English ones, folded, by two-letter code.
const OTHER_NAMES: [(&str, &[&str]); 27] = [
    ("AD", &["and", "andorre"]),
    ("AR", &["arg", "argentine", "argentinien"]),
    ("AT", &["aut", "austriche", "autriche", "osterreich"]),
    ("AU", &["aus", "australie", "australien"]),
    ("BE", &["bel", "belgica", "belgie", "belgien", "belgio", "belgique"]),
    ("BR", &["bra", "brasil", "brasile", "brasilien", "bresil"]),
    ("CA", &["can", "kanada"]),
    ("CH", &["che", "schweiz", "suisse", "suiza", "svizzera"]),
    ("CZ", &["ceska republika", "cesko", "cze", "czechia", "tschechien"]),
    ("DE", &["alemania", "allemagne", "deu", "deutschland", "germania"]),
    ("DK", &["danemark", "danmark", "dinamarca", "dnk"]),
    ("ES", &["esp", "espagne", "espana", "espanya", "spagna", "spanien"]),
    ("FI", &["fin", "finlande", "finlandia", "finnland", "suomi"]),
    ("FR", &["fra", "francia", "frankreich"]),
    (
        "GB",
        &[
            "england",
            "gbr",
            "gran bretana",
            "great britain",
            "grossbritannien",
            "northern ireland",
            "regno unito",
            "reino unido",
            "royaume uni",
            "scotland",
            "uk",
            "united kingdom",
            "vereinigtes konigreich",
            "wales",
        ],
    ),
    ("GR", &["grc", "grece", "grecia", "griechenland"]),
    ("HU", &["hun", "hungria", "hongrie", "magyarorszag", "ungarn", "ungheria"]),
    ("IE", &["eire", "irl", "irland", "irlanda", "irlande"]),
    ("IT", &["ita", "italia", "italie", "italien"]),
    ("JP", &["giappone", "japon", "jpn"]),
    ("MX", &["mex", "mexique", "mexiko", "messico"]),
    (
        "NL",
        &[
            "holland",
            "nederland",
            "netherlands",
            "niederlande",
            "nld",
            "paesi bassi",
            "paises bajos",
            "pays bas",
            "the netherlands",
        ],
    ),
    ("NO", &["nor", "norge", "norvege", "norvegia", "norwegen", "noruega"]),
    ("PL", &["pol", "polen", "pologne", "polonia", "polska"]),
    ("PT", &["portogallo", "prt"]),
    ("SE", &["schweden", "suecia", "suede", "sverige", "svezia", "swe"]),
    ("US", &["estados unidos", "etats unis", "stati uniti", "united states", "us", "usa", "vereinigte staaten"]),
];

/// The two-letter code of a country.
///
/// # Errors
///
/// Continues a sentence that starts with the name of the field. The text is neither a code nor a known name.
pub(super) fn find_country(text: &str) -> Result<String, String> {
    let folded = fold_name(text);
    let other = OTHER_NAMES.iter().find(|(_, names)| names.contains(&folded.as_str())).map(|&(code, _)| code.to_owned());
    let by_code = || folded.to_ascii_uppercase().parse().ok();
    let by_name = || Country::from_name(text.trim());
    other
        .or_else(|| {
            by_code().or_else(by_name).filter(|country| *country != Country::Unspecified).map(|country| country.to_string())
        })
        .ok_or_else(|| format!("must be a country or its ISO 3166 code such as ES, got {}", quote(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_a_country_by_its_codes_and_names() {
        for (text, code) in [
            ("ES", "ES"),
            (" es ", "ES"),
            ("ESP", "ES"),
            ("España", "ES"),
            ("Spain", "ES"),
            ("UK", "GB"),
            ("United States of America", "US"),
            ("Österreich", "AT"),
            ("Portugal", "PT"),
            ("Deutschland", "DE"),
        ] {
            assert_eq!(find_country(text).as_deref(), Ok(code), "{text}");
        }
        for text in ["", "XX", "Atlantis", "Barcelona", "ZZZ"] {
            assert!(find_country(text).is_err(), "{text}");
        }
    }

    #[test]
    fn every_listed_name_is_folded_and_its_code_exists() {
        for (code, names) in OTHER_NAMES {
            assert_eq!(find_country(code).as_deref(), Ok(code));
            assert!(names.iter().all(|name| fold_name(name) == *name), "{names:?}");
        }
    }
}
