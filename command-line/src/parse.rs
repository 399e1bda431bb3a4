//! Parsing of arguments and environment variables.

use std::{
    env,
    io::{self, Write},
    process,
};

use clap::{Command, Parser, builder::Resettable, error::ErrorKind};

use crate::completions;

/// Parses the arguments and the environment variables of the process. Exits if they are invalid, and after
/// `--help`, `--version` and `completions`.
///
/// A variable with an empty value counts as unset: `NAME=` in a unit file or in `.env` restores the default.
#[must_use]
pub fn parse<P: Parser>() -> P {
    let command = completions::add_subcommand(P::command());
    let mut matches = ignore_empty_variables(command.clone()).try_get_matches().unwrap_or_else(|error| match error.kind() {
        // The help of the command with its variables includes the names of all variables.
        ErrorKind::DisplayHelp => command.get_matches(),
        _ => error.exit(),
    });
    if let Some(script) = completions::generate_requested(&matches, P::command()) {
        process::exit(io::stdout().write_all(script.as_bytes()).is_err().into());
    }
    P::from_arg_matches_mut(&mut matches).unwrap_or_else(|error| error.format(&mut P::command()).exit())
}

fn ignore_empty_variables(command: Command) -> Command {
    let command = command.mut_args(|argument| {
        let is_empty = argument.get_env().and_then(env::var_os).is_some_and(|value| value.is_empty());
        if is_empty { argument.env(Resettable::Reset) } else { argument }
    });
    command.mut_subcommands(ignore_empty_variables)
}
