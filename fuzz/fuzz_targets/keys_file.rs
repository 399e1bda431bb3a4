//! The file with the API keys. An error never quotes it, except for names.
#![no_main]

use std::{env, fs, path::PathBuf, process, sync::LazyLock};

use api::auth::{AccessSettings, Keys, KeysSettings};

/// Each process has its own file.
static PATH: LazyLock<PathBuf> = LazyLock::new(|| env::temp_dir().join(format!("marquee-fuzz-{}.toml", process::id())));

libfuzzer_sys::fuzz_target!(|text: &[u8]| {
    fs::write(&*PATH, text).expect("a temporary file");
    let settings = KeysSettings { keys_file: Some(PATH.clone()) };
    match Keys::load(&settings, AccessSettings { restrict_operations: false }) {
        Ok(keys) => assert!(keys.list_names().iter().all(|name| !name.is_empty())),
        Err(error) => assert!(error.to_string().len() < 2_000, "{error}"),
    }
});
