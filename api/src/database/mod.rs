//! Database access for requests: bounded reads and writes, availability, and SQL that several resources share.

mod availability;
mod check;
mod fair_share;
mod outage;
mod read_lane;
pub mod reader;
mod replica;
mod snapshot;
pub(crate) mod sql;
pub mod writer;

pub(crate) use self::snapshot::Snapshot;
pub use self::{
    availability::Availability,
    check::{CheckError, is_schema_current},
    fair_share::SharePermit,
    outage::report_unavailable,
    reader::ReadSource,
    replica::Replica,
};
