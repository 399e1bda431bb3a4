//! The reason of a failed run, as a client may see it.

use std::net::{IpAddr, SocketAddr};

use entity::sync_run;

/// What is shown instead of an address.
const HIDDEN: &str = "[hidden]";

/// Hides what a run shows of the operator's network.
pub(crate) fn hide_details(run: &mut sync_run::Model) {
    run.reason = run.reason.take().map(|reason| hide_addresses(&reason));
}

/// Replaces IP addresses: the host name of a provider may resolve to a private one.
fn hide_addresses(reason: &str) -> String {
    let is_part = |character: char| character.is_ascii_hexdigit() || matches!(character, '.' | ':');
    let mut shown = String::with_capacity(reason.len());
    let mut rest = reason;
    while let Some(start) = rest.find(is_part) {
        let (before, after) = rest.split_at(start);
        let end = after.find(|character| !is_part(character)).unwrap_or(after.len());
        let (word, after) = after.split_at(end);
        // A sentence may continue after the address.
        let address = word.trim_end_matches(['.', ':']);
        shown.push_str(before);
        shown.push_str(if is_address(address) { HIDDEN } else { address });
        shown.push_str(&word[address.len()..]);
        rest = after;
    }
    shown.push_str(rest);
    shown
}

fn is_address(text: &str) -> bool {
    text.parse::<IpAddr>().is_ok() || text.parse::<SocketAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hides_addresses_and_nothing_else() {
        for (reason, shown) in [
            ("the provider's address 10.0.0.7 is not public", "the provider's address [hidden] is not public"),
            ("refused by 192.168.1.9:8080.", "refused by [hidden]."),
            ("fd00::7: refused", "[hidden]: refused"),
            ("[::1]:443 and ::ffff:127.0.0.1", "[[hidden]]:443 and [hidden]"),
            ("`2021-09-31T20:00:00` at 20:00:00", "`2021-09-31T20:00:00` at 20:00:00"),
            ("expected 200, got 20.00: decades, café 東京", "expected 200, got 20.00: decades, café 東京"),
            ("", ""),
        ] {
            assert_eq!(hide_addresses(reason), shown);
        }
    }
}
