//! Database access for requests: bounded reads and writes, availability, and SQL that several resources share.

mod availability;
pub mod reader;
pub(crate) mod sql;
pub mod writer;

pub use self::availability::Availability;
