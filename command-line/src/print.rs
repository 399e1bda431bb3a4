//! Standard output.

use std::{
    io::{self, ErrorKind, Write},
    process,
};

/// Prints the result of a command. Exits if it cannot be written: the standard `print!` would panic.
///
/// Nothing is reported if the reader has read enough, as `head` does.
pub fn print(text: &str) {
    let mut output = io::stdout().lock();
    if let Err(error) = output.write_all(text.as_bytes()).and_then(|()| output.flush()) {
        if error.kind() != ErrorKind::BrokenPipe {
            // Without standard error, only the exit code is left.
            let _reported = writeln!(io::stderr(), "standard output cannot be written: {error}");
        }
        process::exit(1);
    }
}
