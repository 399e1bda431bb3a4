//! Which elements of a document need not be parsed.

/// The elements of base events with bytes that were parsed before. Formats that cannot be read in parts ignore it.
#[derive(Clone, Copy)]
pub struct ElementFilter<'a> {
    /// The hash of everything except the document that determines what its bytes mean.
    pub seed: u64,
    /// Whether bytes with this hash were parsed before, with this seed, without rejects and warnings.
    pub is_known: &'a (dyn Fn(i64) -> bool + Sync),
}

impl ElementFilter<'_> {
    /// Every element is parsed.
    pub const NONE: Self = Self { seed: 0, is_known: &|_| false };
}
