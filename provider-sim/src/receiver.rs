//! A receiver of webhooks, which records every message and responds according to a script.

use std::{
    collections::{HashMap, VecDeque},
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    sync::Notify,
};

/// A response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReceiverReply {
    /// A status without a body, and additional header lines.
    Status(u16, &'static str),
    /// A status 204, after [`WebhookReceiver::release`].
    Held,
    /// A status 500, after the same.
    HeldFailure,
    /// None: the connection stays open.
    Silence,
    /// None: the connection is closed.
    Close,
    /// A status 200 that declares more bytes than it has.
    Truncated,
    /// A status 200 with an endless body.
    Endless,
}

/// A message that was received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceivedMessage {
    /// The path and query of the request.
    pub target: String,
    /// The headers, with names in lower case.
    pub headers: HashMap<String, String>,
    /// The body.
    pub body: String,
}

/// A server on a free port of this machine.
#[derive(Clone, Debug)]
pub struct WebhookReceiver {
    /// Its URL.
    pub url: String,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    received: Notify,
    released: Notify,
}

#[derive(Debug, Default)]
struct State {
    messages: Vec<ReceivedMessage>,
    script: VecDeque<ReceiverReply>,
    /// What follows the script.
    last: Option<ReceiverReply>,
}

impl ReceivedMessage {
    /// The `webhook-id`.
    #[must_use]
    pub fn id(&self) -> &str {
        self.headers.get("webhook-id").map(String::as_str).unwrap_or_default()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl WebhookReceiver {
    /// Starts a receiver that accepts everything.
    ///
    /// # Errors
    ///
    /// When no port is free.
    pub async fn start() -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let (url, shared) = (format!("http://{}/hook", listener.local_addr()?), Arc::<Shared>::default());
        let accepting = shared.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let shared = accepting.clone();
                // A client may break the connection.
                tokio::spawn(async move { drop(serve(stream, &shared).await) });
            }
        });
        Ok(Self { url, shared })
    }

    /// Responds to the next messages with these.
    pub fn script(&self, replies: impl IntoIterator<Item = ReceiverReply>) {
        self.shared.lock().script.extend(replies);
    }

    /// Responds with this to all messages after the script.
    pub fn always(&self, reply: ReceiverReply) {
        self.shared.lock().last = Some(reply);
    }

    /// Responds to a message that is held, or to the next one.
    pub fn release(&self) {
        self.shared.released.notify_one();
    }

    /// The messages that were received, in their order.
    #[must_use]
    pub fn messages(&self) -> Vec<ReceivedMessage> {
        self.shared.lock().messages.clone()
    }

    /// How many messages were received.
    #[must_use]
    pub fn count(&self) -> usize {
        self.shared.lock().messages.len()
    }

    /// Waits until this many messages were received.
    pub async fn wait_for(&self, count: usize) {
        loop {
            let received = self.shared.received.notified();
            if self.count() >= count {
                return;
            }
            received.await;
        }
    }
}

async fn serve(stream: TcpStream, shared: &Shared) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut stream = BufReader::new(stream);
    while let Some(message) = read(&mut stream).await? {
        let reply = {
            let mut state = shared.lock();
            state.messages.push(message);
            let last = state.last.clone().unwrap_or(ReceiverReply::Status(204, ""));
            state.script.pop_front().unwrap_or(last)
        };
        shared.received.notify_waiters();
        if matches!(reply, ReceiverReply::Held | ReceiverReply::HeldFailure) {
            shared.released.notified().await;
        }
        let text = match reply {
            ReceiverReply::Status(status, headers) => format!("HTTP/1.1 {status} -\r\n{headers}content-length: 0\r\n\r\n"),
            ReceiverReply::Held => "HTTP/1.1 204 -\r\ncontent-length: 0\r\n\r\n".to_owned(),
            ReceiverReply::HeldFailure => "HTTP/1.1 500 -\r\ncontent-length: 0\r\n\r\n".to_owned(),
            ReceiverReply::Silence => return std::future::pending().await,
            ReceiverReply::Close => return Ok(()),
            ReceiverReply::Truncated => "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nshort".to_owned(),
            ReceiverReply::Endless => "HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n".to_owned(),
        };
        stream.write_all(text.as_bytes()).await?;
        if reply == ReceiverReply::Truncated {
            return stream.shutdown().await;
        }
        if reply == ReceiverReply::Endless {
            loop {
                stream.write_all(&[b'x'; 4096]).await?;
            }
        }
    }
    Ok(())
}

/// Reads a request; `None` at the end of the connection.
async fn read(stream: &mut BufReader<TcpStream>) -> io::Result<Option<ReceivedMessage>> {
    let mut line = String::new();
    if stream.read_line(&mut line).await? == 0 {
        return Ok(None);
    }
    let target = line.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut headers = HashMap::new();
    loop {
        line.clear();
        stream.read_line(&mut line).await?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or_default();
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    Ok(Some(ReceivedMessage { target, headers, body: String::from_utf8_lossy(&body).into_owned() }))
}
