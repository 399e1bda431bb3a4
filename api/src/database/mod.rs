//! The database as requests use it: bounded reads, writes, and pieces of SQL that several resources share.

pub mod reader;
pub(crate) mod sql;
pub mod writer;
