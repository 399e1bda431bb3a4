//! A server with pages that tests change between runs. It honors `If-None-Match` for the pages that have an `ETag`.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_util::sync::{CancellationToken, DropGuard};

/// A response. `{url}` in it is the address of the server.
#[derive(Clone)]
struct Page {
    /// The status, and the lines of the headers.
    head: String,
    body: Vec<u8>,
}

#[derive(Default)]
struct State {
    /// By path and query.
    pages: HashMap<String, Page>,
    requests: Vec<String>,
}

/// Serves until it is dropped.
pub(crate) struct PageServer {
    pub(crate) url: String,
    state: Arc<Mutex<State>>,
    _shutdown: DropGuard,
}

impl PageServer {
    pub(crate) async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (state, shutdown) = (Arc::<Mutex<State>>::default(), CancellationToken::new());
        let (of_task, base) = (state.clone(), url.clone());
        tokio::spawn(shutdown.clone().run_until_cancelled_owned(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, base.clone(), of_task.clone()));
            }
        }));
        Self { url, state, _shutdown: shutdown.drop_guard() }
    }

    /// Adds or replaces a page with these lines of headers.
    pub(crate) fn page(&self, path: &str, headers: &str, body: impl AsRef<[u8]>) {
        let headers = headers.trim();
        let head = if headers.is_empty() { "200 OK".to_owned() } else { format!("200 OK\r\n{}", headers.replace('\n', "\r\n")) };
        self.respond(path, &head, body);
    }

    /// Adds or replaces a response.
    pub(crate) fn respond(&self, path: &str, head: &str, body: impl AsRef<[u8]>) {
        let page = Page { head: head.replace("{url}", &self.url), body: body.as_ref().to_vec() };
        self.state.lock().unwrap().pages.insert(path.to_owned(), page);
    }

    /// The requests since the last call: the path, with the status if it is not 200.
    pub(crate) fn requests(&self) -> Vec<String> {
        std::mem::take(&mut self.state.lock().unwrap().requests)
    }
}

async fn serve(mut stream: TcpStream, url: String, state: Arc<Mutex<State>>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    let head = String::from_utf8(head).unwrap();
    let path = head.split(' ').nth(1).unwrap().to_owned();
    let header = |name: &str| {
        let mut lines = head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_owned())
    };
    let (response, body) = {
        let mut state = state.lock().unwrap();
        let (mut response, mut body) = match state.pages.get(&path) {
            Some(page) => (page.head.clone(), page.body.clone()),
            None => ("404 Not Found".to_owned(), Vec::new()),
        };
        let etag = response.lines().find_map(|line| line.strip_prefix("ETag: ")).map(str::to_owned);
        if etag.is_some() && header("if-none-match") == etag {
            (response, body) = ("304 Not Modified".to_owned(), Vec::new());
        }
        let status = response.split(' ').next().unwrap();
        let shown = if status == "200" { path } else { format!("{path} {status}") };
        let key = header("x-key").map(|key| format!(" key {key}")).unwrap_or_default();
        state.requests.push(shown + &key);
        (response, String::from_utf8(body.clone()).map_or(body, |text| text.replace("{url}", &url).into_bytes()))
    };
    let length = if response.starts_with("304") { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
    let head = format!("HTTP/1.1 {response}\r\n{length}Connection: close\r\n\r\n");
    let _closed_by_client = stream.write_all(&[head.as_bytes(), &body].concat()).await;
    let _closed_by_client = stream.shutdown().await;
}
