//! Database access for requests: bounded reads and writes, availability, and SQL that several resources share.

mod availability;
mod outage;
pub mod reader;
mod replica;
pub(crate) mod sql;
pub mod writer;

pub use self::{availability::Availability, outage::report_unavailable, reader::ReadSource, replica::Replica};
