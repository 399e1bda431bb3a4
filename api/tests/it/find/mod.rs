//! Lists of events: compared with a full scan of random catalogues.

mod limits;
mod oracle;
mod queries;
mod summaries;
mod summary_limits;
mod totals;
mod typos;
mod words;
mod world;
