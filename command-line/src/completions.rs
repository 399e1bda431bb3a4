//! Completion scripts of shells, printed by a hidden subcommand of every program: `marquee-api completions bash`.

use clap::{Arg, ArgMatches, Command};
use clap_complete::{Shell, generate};

const NAME: &str = "completions";
const SHELL: &str = "SHELL";

/// Adds the subcommand.
pub(crate) fn add_subcommand(command: Command) -> Command {
    let has_others = command.has_subcommands();
    let shell = Arg::new(SHELL).required(true).value_parser(clap::value_parser!(Shell)).help("The shell");
    let completions = Command::new(NAME).about("Print a completion script").hide(true).arg(shell);
    // A program without subcommands would otherwise show `help` as one.
    command.subcommand(completions).disable_help_subcommand(!has_others)
}

/// The script that was requested, if any, for the `command` without the subcommand.
pub(crate) fn generate_requested(matches: &ArgMatches, mut command: Command) -> Option<String> {
    let shell = *matches.subcommand_matches(NAME)?.get_one::<Shell>(SHELL)?;
    let name = command.get_name().to_owned();
    let mut script = Vec::new();
    generate(shell, &mut command, name.as_str(), &mut script);
    let script = String::from_utf8_lossy(&script);
    // In the script for bash, clap_complete 4.6 replaces the hyphen of a program name in two ways, so that no subcommand is recognized.
    Some(script.replace(&name.replace('-', "__subcmd__"), &name.replace('-', "__")))
}
