//! Batches of prices for travelling from place to place: from bytes to the database, whole or not at all, and back out of it.
//!
//! Both programs take batches in, the API from its clients and the worker from files, by the same rules. A batch is first [`read`]: every
//! item is checked and put into a nameless temporary file, the database is not touched, and one bad item refuses all. Then it is
//! [`settle`]d: one transaction writes the prices and adds them to the sums of each route and day, or finds that the same
//! [`Key`] brought them before.
//!
//! The crate knows nothing of HTTP, and does not answer questions about prices: that is the API's.

mod day;
mod draft;
mod key;
mod limits;
mod places;
mod price;
mod read;
mod settle;
mod take_back;

pub use self::{
    day::Day,
    draft::Draft,
    key::{Claim, Key, Keys},
    limits::Limits,
    places::Places,
    price::mean,
    read::{Coding, Fault, Faults, Format, ReadError, Reading, quoted, read},
    settle::{SettleError, Settled, settle},
    take_back::take_back,
};
