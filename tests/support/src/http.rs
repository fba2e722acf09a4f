//! A small HTTP server on the loopback interface, for tests of downloads.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What a client asked for.
#[derive(Debug)]
pub struct Request {
    /// The path.
    pub path: String,
    /// First byte of `Range`, and the tag of `If-Range`.
    pub range: Option<(usize, String)>,
}

fn read_request(stream: &TcpStream) -> Option<Request> {
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    let path = lines.next()?.split(' ').nth(1)?.to_owned();
    let (mut first, mut tag) = (None, String::new());
    for line in lines.take_while(|line| !line.is_empty()) {
        let (name, value) = line.split_once(": ")?;
        match name.to_ascii_lowercase().as_str() {
            "range" => first = value.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok(),
            "if-range" => tag = value.to_owned(),
            _ => {}
        }
    }
    Some(Request { path, range: first.map(|first| (first, tag)) })
}

/// A server that runs until the process ends. `answer` gets the request and its number.
#[derive(Debug)]
pub struct Server {
    address: String,
    requests: Arc<AtomicUsize>,
}

impl Server {
    /// Starts it on a free port.
    #[must_use]
    pub fn new(answer: impl Fn(&Request, usize, &mut TcpStream) + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port on the loopback interface");
        let address =
            format!("http://{}", listener.local_addr().expect("a free port on the loopback interface"));
        let requests = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&requests);
        std::thread::spawn(move || {
            for mut stream in listener.incoming().map_while(Result::ok) {
                let Some(request) = read_request(&stream) else { continue };
                answer(&request, counted.fetch_add(1, Ordering::SeqCst), &mut stream);
            }
        });
        Self { address, requests }
    }

    /// The address of a file.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("{}/{path}", self.address)
    }

    /// Requests so far.
    #[must_use]
    pub fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

/// Sends a head and a body; the client may be gone already.
pub fn send(stream: &mut TcpStream, head: &str, body: &[u8]) {
    let _ = stream.write_all(format!("HTTP/1.1 {head}\r\nConnection: close\r\n\r\n").as_bytes());
    let _ = stream.write_all(body);
}
