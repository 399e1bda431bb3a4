//! The metrics of releases and of the change log.

use entity::{
    change::ChangeCounts,
    footprint::{Footprint, PartBuilder},
    release::Cause,
};
use metrics::{counter, describe_counter};

const RELEASES: &str = "marquee_releases_total";
const ELEMENTS: &str = "marquee_release_footprint_elements_total";
const OVERFLOWS: &str = "marquee_release_footprint_overflows_total";
const CHANGES: &str = "marquee_changes_total";

/// Registers the help texts.
pub(crate) fn describe() {
    describe_counter!(RELEASES, "Releases of this process by cause");
    describe_counter!(
        ELEMENTS,
        "Elements of the footprints of releases: parts, providers, day_ranges, cells, performers, categories"
    );
    describe_counter!(
        OVERFLOWS,
        "Dimensions of footprints that were too large and became unbounded: cells, performers, categories"
    );
    describe_counter!(CHANGES, "Changes written to the log by kind");
}

/// Counts a committed release.
pub(crate) fn count_release(cause: Cause, footprint: &Footprint) {
    counter!(RELEASES, "cause" => cause.name()).increment(1);
    for (element, count) in footprint.count_elements() {
        counter!(ELEMENTS, "element" => element).increment(count as u64);
    }
}

/// Counts the dimensions of parts of a footprint that were too large.
pub(crate) fn count_overflows(parts: &[PartBuilder]) {
    for dimension in parts.iter().flat_map(PartBuilder::overflowed) {
        counter!(OVERFLOWS, "dimension" => *dimension).increment(1);
    }
}

/// Counts committed changes.
pub(crate) fn count_changes(counts: &ChangeCounts) {
    for (kind, count) in counts {
        counter!(CHANGES, "kind" => kind.name()).increment(u64::from(*count));
    }
}
