//! The names of time zones in calendars: those of IANA, of Windows and of other programs, and offsets.

use calcard::common::timezone::Tz as CalendarTz;
use chrono::FixedOffset;
use chrono_tz::{TZ_VARIANTS, Tz};

/// The names of UTC and of offsets, which are at no place.
const UTC: [&str; 9] = ["UTC", "GMT", "UCT", "Zulu", "Universal", "Greenwich", "GMT0", "GMT+0", "GMT-0"];

/// Finds the zone with a name, in any case: `Europe/Madrid`, `Romance Standard Time`, `/example.com/Europe/Madrid`, or
/// `(UTC+01:00) Brussels, Copenhagen, Madrid, Paris`.
pub(super) fn find_zone(name: &str) -> Option<Tz> {
    let name = name.trim();
    find_iana(name).or_else(|| find_of_program(name)).or_else(|| find_suffix(name)).or_else(|| find_city(name))
}

/// Whether clocks at a place show the time of a zone.
pub(super) fn is_of_place(zone: Tz) -> bool {
    !zone.name().starts_with("Etc/") && !UTC.contains(&zone.name())
}

fn find_iana(name: &str) -> Option<Tz> {
    let is_same = |zone: &&Tz| zone.name().eq_ignore_ascii_case(name);
    name.parse().ok().or_else(|| TZ_VARIANTS.iter().find(is_same).copied())
}

/// Finds a name that calcard knows. If it knows only the offset before the name, this is not a zone with clock changes.
fn find_of_program(name: &str) -> Option<Tz> {
    match name.parse() {
        Ok(CalendarTz::Tz(zone)) if is_of_place(zone) || !name.starts_with('(') => Some(zone),
        _ => None,
    }
}

/// Finds the name of IANA at the end of a longer one, such as `/example.com/Tzfile/America/New_York`.
fn find_suffix(name: &str) -> Option<Tz> {
    let suffixes = name.match_indices('/').map(|(slash, _)| &name[slash + 1..]);
    suffixes.filter(|suffix| suffix.contains('/') || UTC.iter().any(|utc| utc.eq_ignore_ascii_case(suffix))).find_map(find_iana)
}

/// Finds the first city of a name that Windows shows.
fn find_city(name: &str) -> Option<Tz> {
    let (_, cities) = name.strip_prefix('(')?.split_once(')')?;
    cities.split(',').map(|city| city.trim().replace(' ', "_")).find_map(|city| {
        let has_city = |zone: &&Tz| {
            is_of_place(**zone) && zone.name().rsplit('/').next().is_some_and(|last| last.eq_ignore_ascii_case(&city))
        };
        TZ_VARIANTS.iter().find(has_city).copied()
    })
}

/// Finds the offset in seconds in a name such as `GMT+0100`, `UTC+1`, `+01:00` or `(UTC+01:00) Somewhere`.
pub(super) fn find_offset(name: &str) -> Option<i32> {
    let name = name.trim();
    let name = name.strip_prefix('(').map_or(name, |name| name.split(')').next().unwrap_or_default()).trim();
    let prefix = name.get(..3).filter(|prefix| prefix.eq_ignore_ascii_case("UTC") || prefix.eq_ignore_ascii_case("GMT"));
    let offset = name[prefix.map_or(0, str::len)..].trim_start();
    let (sign, digits) =
        offset.strip_prefix('-').map(|digits| (-1, digits)).or_else(|| offset.strip_prefix('+').map(|digits| (1, digits)))?;
    let (hours, minutes) = match digits.split_once(':') {
        Some(parts) => parts,
        None if digits.len() > 2 => digits.split_at_checked(digits.len() - 2)?,
        None => (digits, "0"),
    };
    let parse = |digits: &str| {
        digits.parse::<i32>().ok().filter(|_| digits.len() <= 2 && digits.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let seconds = sign * (parse(hours)? * 3_600 + parse(minutes).filter(|minutes| *minutes < 60)? * 60);
    FixedOffset::east_opt(seconds).map(|offset| offset.local_minus_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_zones_by_the_names_of_programs() {
        for (name, expected) in [
            ("Europe/London", Some(Tz::Europe__London)),
            ("europe/london", Some(Tz::Europe__London)),
            (" AMERICA/NEW_YORK ", Some(Tz::America__New_York)),
            ("Romance Standard Time", Some(Tz::Europe__Paris)),
            ("/freeassociation.sourceforge.net/Europe/London", Some(Tz::Europe__London)),
            ("/freeassociation.sourceforge.net/Tzfile/America/Indiana/Knox", Some(Tz::America__Indiana__Knox)),
            ("/softwarestudio.org/Olson_20011030_5/America/Chicago", Some(Tz::America__Chicago)),
            ("/mozilla.org/20050126_1/Europe/Berlin", Some(Tz::Europe__Berlin)),
            ("tzone://Microsoft/Utc", Some(Tz::UTC)),
            ("(UTC+01:00) Amsterdam, Berlin, Bern, Rome, Stockholm, Vienna", Some(Tz::Europe__Berlin)),
            ("(UTC+01:00) Zurich, Elsewhere", Some(Tz::Europe__Zurich)),
            ("Foo/Bar", None),
            ("(UTC+01:00) Elsewhere", None),
            ("GMT+0100", None),
            ("", None),
        ] {
            assert_eq!(find_zone(name), expected, "{name}");
        }
    }

    #[test]
    fn finds_offsets() {
        for (name, expected) in [
            ("GMT+0100", Some(3_600)),
            ("utc+1", Some(3_600)),
            ("UTC-03:30", Some(-12_600)),
            ("GMT -5", Some(-18_000)),
            ("+05:45", Some(20_700)),
            ("(UTC+01:00) Elsewhere", Some(3_600)),
            ("UTC+24", None),
            ("UTC+1:75", None),
            ("UTC", None),
            ("Foo+1", None),
            ("\u{e9}\u{e9}", None),
            ("UTC+\u{e9}", None),
            ("UTC+1\u{e9}", None),
        ] {
            assert_eq!(find_offset(name), expected, "{name}");
        }
    }
}
