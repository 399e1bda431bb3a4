//! `scripts/run`, which `make run` calls: its settings, and that it runs once.

use std::{
    net::{SocketAddr, TcpListener},
    path::Path,
    process::{Child, Command, Output, Stdio},
};

use tempfile::TempDir;

use crate::{
    deployment::{program, send_to},
    edges::root,
    wait::eventually,
};

/// A copy of the script and its files, with a `cargo` that builds nothing: the programs exist already.
fn copy_workspace() -> TempDir {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::create_dir(path("scripts")).unwrap();
    for file in ["scripts/run", "providers.toml"] {
        std::fs::copy(root().join(file), path(file)).unwrap();
    }
    std::fs::create_dir(path("bin")).unwrap();
    std::os::unix::fs::symlink("/bin/true", path("bin/cargo")).unwrap();
    folder
}

fn build_command(folder: &Path, variables: &[(&str, &str)]) -> Command {
    let target = program("marquee-api").ancestors().nth(2).unwrap().to_owned();
    let path = format!("{}:{}", folder.join("bin").display(), std::env::var("PATH").unwrap());
    let mut command = Command::new(folder.join("scripts/run"));
    command.env_clear().env("PATH", path).env("CARGO_TARGET_DIR", target).envs(variables.iter().copied());
    command
}

fn find_free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// A running script, which is stopped on drop.
struct RunningScript(Child);

impl RunningScript {
    fn terminate(&mut self) {
        let _sent = Command::new("kill").arg(self.0.id().to_string()).status();
        let _status = self.0.wait();
    }
}

impl Drop for RunningScript {
    fn drop(&mut self) {
        self.terminate();
    }
}

/// Asserts that the script fails before it builds, and returns its error.
fn fail(command: &mut Command) -> String {
    let Output { status, stdout, stderr } = command.output().unwrap();
    assert_eq!((status.code(), String::from_utf8(stdout).unwrap()), (Some(1), String::new()));
    String::from_utf8(stderr).unwrap()
}

#[tokio::test]
async fn runs_once_with_the_settings_of_its_env_file() {
    let folder = copy_workspace();
    let (api, simulator) = (find_free_address(), find_free_address());
    let env = format!(
        "# Settings\r\n\n  export API_LISTEN=\"{api}\"\r\nSIMULATOR_LISTEN = '{simulator}' # a comment\n\
         METRICS_LISTEN=127.0.0.1:0\nDATABASE_URL=\nRATE_LIMIT_PER_SECOND=\nOTEL_EXPORTER_OTLP_ENDPOINT=\"\"\nREDIS_URL=''\n"
    );
    std::fs::write(folder.path().join(".env"), env).unwrap();
    let log = folder.path().join("run.log");
    let output = std::fs::File::create(&log).unwrap();
    // The environment has precedence, but an empty value means unset.
    let mut command = build_command(folder.path(), &[("API_LISTEN", "")]);
    let process = command.stdout(output.try_clone().unwrap()).stderr(output).stdin(Stdio::null()).spawn().unwrap();
    let mut running = RunningScript(process);
    eventually("the first feed is imported", async || {
        let text = std::fs::read_to_string(&log).unwrap();
        assert!(!text.contains("a program exited"), "{text}");
        text.contains("Marquee is running").then_some(())
    })
    .await;
    let text = std::fs::read_to_string(&log).unwrap();
    assert!(text.contains(&format!("curl 'http://{simulator}/feed'")), "{text}");
    assert!(folder.path().join("marquee.db").exists());

    let error = fail(&mut build_command(folder.path(), &[]));
    assert!(error.starts_with("make run: already running (process ") && error.contains("the database marquee.db"), "{error}");
    let other_ports = [("API_LISTEN", "127.0.0.1:1"), ("SIMULATOR_LISTEN", "127.0.0.1:1")];
    let error = fail(&mut build_command(folder.path(), &other_ports));
    assert!(error.starts_with("make run: already running (process "), "{error}");
    let error = fail(&mut build_command(folder.path(), &[("DATABASE_URL", "sqlite://other.db?mode=rwc")]));
    assert_eq!(
        error,
        format!("make run: an API is already running at http://{api}. Stop it, or set API_LISTEN to another address\n")
    );

    // The first one is not affected.
    let (status, _) = send_to(&api.to_string(), "GET", "/readyz", &[], "").await.unwrap();
    assert_eq!(status, 200);
    running.terminate();
    assert!(!folder.path().join("marquee.db.run-pid").exists());
    assert!(send_to(&api.to_string(), "GET", "/livez", &[], "").await.is_none(), "the API is stopped");
}

#[test]
fn an_address_in_use_is_reported_before_the_build() {
    let folder = copy_workspace();
    let occupied = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = occupied.local_addr().unwrap().to_string();
    // Closes each connection without a response.
    std::thread::spawn(move || occupied.incoming().for_each(drop));
    let free = find_free_address().to_string();
    for (setting, other) in [("API_LISTEN", "SIMULATOR_LISTEN"), ("SIMULATOR_LISTEN", "API_LISTEN")] {
        let error = fail(&mut build_command(folder.path(), &[(setting, &address), (other, &free)]));
        assert_eq!(error, format!("make run: {address} is in use by another program. Set {setting} to another address\n"));
    }
}

#[test]
fn an_invalid_line_of_the_env_file_is_reported() {
    let folder = copy_workspace();
    std::fs::write(folder.path().join(".env"), "CACHE_MIB=1\n\nAPI_LISTEN: secret\n").unwrap();
    assert_eq!(fail(&mut build_command(folder.path(), &[])), "make run: .env: line 3 must be NAME=VALUE\n");
}

/// A process that was killed leaves its file.
#[tokio::test]
async fn the_lock_of_a_killed_process_is_ignored() {
    let folder = copy_workspace();
    let (api, simulator) = (find_free_address().to_string(), find_free_address().to_string());
    std::fs::write(folder.path().join("marquee.db.run-pid"), "999999999\n").unwrap();
    let variables = [("API_LISTEN", api.as_str()), ("SIMULATOR_LISTEN", &simulator), ("METRICS_LISTEN", "127.0.0.1:0")];
    let mut command = build_command(folder.path(), &variables);
    let _running = RunningScript(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    eventually("the API responds", async || send_to(&api, "GET", "/livez", &[], "").await).await;
}
