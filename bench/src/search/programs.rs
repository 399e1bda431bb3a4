//! The measured programs and the baseline servers, on free ports. They are killed on drop.

use std::{fs, net::SocketAddr};

use programs::{ProcessUsage, free_address, start_and_wait};
use tempfile::TempDir;
use tokio::process::{Child, Command};

use super::{CACHE_MIB, make_readable};
use crate::{Failure, build::Build, load::ResponseTier, process};

/// The settings of an API.
#[derive(Clone, Debug)]
pub(crate) struct ApiSettings {
    pub(crate) database_url: String,
    pub(crate) redis_url: Option<String>,
    pub(crate) cache_mib: u64,
    pub(crate) is_single_threaded: bool,
    pub(crate) build: Build,
    /// Settings of this benchmark alone.
    pub(crate) environment: Vec<(&'static str, &'static str)>,
}

impl ApiSettings {
    pub(crate) fn on(database_url: &str) -> Self {
        Self {
            database_url: database_url.to_owned(),
            redis_url: None,
            cache_mib: CACHE_MIB,
            is_single_threaded: false,
            build: Build::default(),
            environment: Vec::new(),
        }
    }
}

/// A running `marquee-api`.
#[derive(Debug)]
pub(crate) struct ApiServer {
    pub(crate) address: SocketAddr,
    process: Child,
    _folder: TempDir,
}

impl ApiServer {
    pub(crate) async fn start(settings: &ApiSettings) -> Result<Self, Failure> {
        let (folder, address) = (TempDir::new()?, free_address().await?);
        let mut command = Command::new(settings.build.find("marquee-api")?);
        command
            .env("API_LISTEN", address.to_string())
            .env("DATABASE_URL", &settings.database_url)
            .env("CACHE_MIB", settings.cache_mib.to_string())
            .env("LOG_FILTER", "warn")
            .envs(settings.environment.iter().copied())
            .env_remove("REDIS_URL");
        if let Some(url) = &settings.redis_url {
            command.env("REDIS_URL", url);
        }
        if settings.is_single_threaded {
            command.env("TOKIO_WORKER_THREADS", "1");
        }
        let log = folder.path().join("api.log");
        let process = start_and_wait(command, address, &log).await?;
        Ok(Self { address, process, _folder: folder })
    }

    pub(crate) fn peak_mib(&self) -> Option<u64> {
        Some(self.usage()?.peak_kib / 1024)
    }

    pub(crate) fn usage(&self) -> Option<ProcessUsage> {
        programs::sample_usage(self.process.id()?)
    }

    /// The body and `Cache-Status` of a response.
    pub(crate) async fn get(&self, path: &str) -> Result<(Vec<u8>, Option<String>), Failure> {
        let response = reqwest::get(format!("http://{}{path}", self.address)).await?.error_for_status()?;
        let source = response.headers().get("cache-status").and_then(|value| value.to_str().ok()).map(str::to_owned);
        Ok((response.bytes().await?.to_vec(), source))
    }

    /// The body of a page as it is sent.
    pub(crate) async fn get_page(&self, path: &str, is_compressed: bool) -> Result<Vec<u8>, Failure> {
        let client = reqwest::Client::builder().no_proxy().build()?;
        let coding = if is_compressed { "gzip" } else { "identity" };
        let request = client.get(format!("http://{}{path}", self.address)).header("accept-encoding", coding);
        Ok(request.send().await?.error_for_status()?.bytes().await?.to_vec())
    }

    /// The body of a response that must come from Redis.
    pub(crate) async fn get_from_redis(&self, path: &str) -> Result<Vec<u8>, Failure> {
        let (body, source) = self.get(path).await?;
        match source {
            Some(source) if ResponseTier::parse(source.as_bytes()) == ResponseTier::Redis => Ok(body),
            Some(source) => Err(format!("the response is not from Redis, but has Cache-Status: {source}").into()),
            None => Err("the response has no Cache-Status".into()),
        }
    }

    /// The sum of a counter over the lines with all labels.
    pub(crate) async fn counter(&self, name: &str, labels: &[&str]) -> Result<u64, Failure> {
        let (text, _) = self.get("/metrics").await.map_err(|failure| format!("cannot read metrics: {failure}"))?;
        let text = String::from_utf8_lossy(&text).into_owned();
        let lines = text.lines().filter(|line| {
            let rest = line.strip_prefix(name);
            rest.is_some_and(|rest| rest.starts_with(['{', ' '])) && labels.iter().all(|label| line.contains(label))
        });
        let numbers: Vec<f64> = lines.filter_map(|line| line.rsplit(' ').next()?.parse().ok()).collect();
        if numbers.is_empty() && !text.contains(name) {
            return Err(format!("the API has no metric {name}").into());
        }
        Ok(numbers.iter().sum::<f64>() as u64)
    }
}

/// A Redis server without persistence that can be killed and restarted on its port.
#[derive(Debug)]
pub(crate) struct RedisServer {
    address: SocketAddr,
    pub(super) process: Child,
    folder: TempDir,
}

impl RedisServer {
    pub(crate) async fn start() -> Result<Self, Failure> {
        let (folder, address) = (TempDir::new()?, free_address().await?);
        let process = Self::spawn(address, &folder).await?;
        Ok(Self { address, process, folder })
    }

    async fn spawn(address: SocketAddr, folder: &TempDir) -> Result<Child, Failure> {
        let mut command = Command::new(programs::find_installed_program("redis-server", "redis-server")?);
        command.args(["--bind", "127.0.0.1", "--port", &address.port().to_string()]);
        command.args(["--save", "", "--appendonly", "no", "--dir"]).arg(folder.path());
        start_and_wait(command, address, &folder.path().join("redis.log")).await
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://{}/", self.address)
    }

    /// Sends SIGKILL.
    pub(super) async fn kill(&mut self) -> Result<(), Failure> {
        Ok(self.process.kill().await?)
    }

    /// Starts it again after a kill, empty.
    pub(super) async fn restart(&mut self) -> Result<(), Failure> {
        self.process = Self::spawn(self.address, &self.folder).await?;
        Ok(())
    }
}

/// A baseline server of one body at `/search`.
#[derive(Debug)]
pub(crate) struct BaselineServer {
    pub(crate) address: SocketAddr,
    _process: Child,
    _folder: TempDir,
}

impl BaselineServer {
    /// A minimal poem app on one thread.
    pub(crate) async fn poem(bytes: usize) -> Result<Self, Failure> {
        let (folder, address) = (TempDir::new()?, free_address().await?);
        let mut command = Command::new(std::env::current_exe()?);
        command
            .args(["constant", "--listen", &address.to_string(), "--bytes", &bytes.to_string()])
            .env("TOKIO_WORKER_THREADS", "1");
        let process = start_and_wait(command, address, &folder.path().join("constant.log")).await?;
        Ok(Self { address, _process: process, _folder: folder })
    }

    /// nginx with one worker and an open file cache.
    pub(crate) async fn nginx(body: &[u8]) -> Result<Self, Failure> {
        let program = programs::find_installed_program("nginx", "nginx-light")?;
        let (folder, address) = (TempDir::new()?, free_address().await?);
        let root = folder.path().display();
        make_readable(folder.path())?;
        fs::write(folder.path().join("search"), body)?;
        make_readable(&folder.path().join("search"))?;
        let temporary =
            ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(|kind| format!("{kind}_temp_path {root}/{kind};"));
        let configuration = format!(
            "daemon off; worker_processes 1; pid {root}/pid; error_log stderr error;\nevents {{ worker_connections 1024; }}\n\
             http {{ {} access_log off; default_type application/json; sendfile on; tcp_nopush on; keepalive_requests 1000000000;\n\
             open_file_cache max=16; open_file_cache_valid 1h;\nserver {{ listen {address}; root {root}; }} }}\n",
            temporary.concat()
        );
        let file = folder.path().join("nginx.conf");
        fs::write(&file, configuration)?;
        let mut command = Command::new(program);
        command.args(["-e", "stderr", "-p"]).arg(folder.path()).arg("-c").arg(file);
        let process = start_and_wait(command, address, &folder.path().join("nginx.log")).await?;
        Ok(Self { address, _process: process, _folder: folder })
    }

    /// Stops all its processes.
    pub(crate) async fn stop(mut self) -> Result<(), Failure> {
        // SIGKILL would leave the worker processes running.
        process::send_signal(&self._process, "TERM").await?;
        self._process.wait().await?;
        Ok(())
    }
}

/// The versions of the baseline servers.
pub(super) async fn versions() -> String {
    let mut texts = Vec::new();
    for (name, argument) in [("redis-server", "--version"), ("nginx", "-v")] {
        let output = match programs::find_installed_program(name, name) {
            Ok(program) => Command::new(program).arg(argument).output().await.ok(),
            Err(_) => None,
        };
        let text = output.map(|output| [output.stdout, output.stderr].concat()).unwrap_or_default();
        let text = String::from_utf8_lossy(&text).trim().split(" sha=").next().unwrap_or_default().to_owned();
        texts.push(if text.is_empty() { format!("{name} is not installed") } else { text });
    }
    texts.join("; ")
}
