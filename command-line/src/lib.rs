//! What the command lines of all programs share: parsing, completion scripts, listen addresses, tables, untrusted text, standard
//! output, and the report of `check` commands. Also the text of an error with its causes, as programs print and log it.

mod address;
mod causes;
mod completions;
mod escape;
mod parse;
mod print;
mod report;
mod table;

pub use address::{ListenAddress, ListenError};
pub use causes::with_causes;
pub use escape::{escape, escape_json, is_unsafe};
pub use parse::parse;
pub use print::print;
pub use report::CheckReport;
pub use table::{Alignment, Table};
