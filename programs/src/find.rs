//! The paths of programs.

use std::path::{Path, PathBuf};

use crate::Failure;

/// Folders that are often missing in `PATH`.
const MORE_FOLDERS: [&str; 3] = ["/usr/sbin", "/usr/local/sbin", "/opt/homebrew/bin"];

/// The path of a program that was built with the running one.
///
/// # Errors
///
/// When it was not built.
pub fn find_built_program(name: &str) -> Result<PathBuf, Failure> {
    let path = std::env::current_exe()?.parent().map(|folder| folder.join(name)).unwrap_or_default();
    if Path::exists(&path) {
        Ok(path)
    } else {
        Err(format!("{} does not exist; start this program with `make`, which builds both", path.display()).into())
    }
}

/// The path of an installed program, also in `sbin` folders.
///
/// # Errors
///
/// When it is not installed.
pub fn find_installed_program(name: &str, package: &str) -> Result<PathBuf, Failure> {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&folders)
        .chain(MORE_FOLDERS.map(PathBuf::from))
        .map(|folder| folder.join(name))
        .find(|path| path.is_file())
        .ok_or_else(|| format!("{name} is not installed; install it, for example with `apt-get install {package}`").into())
}
