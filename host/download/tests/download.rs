//! Downloads from a real server on the loopback interface, which drops connections, lies about sizes and redirects.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nnunet_download::{Checksum, Options, fetch};
use nnunet_test_support::http::{Request, Server, send};

const SIZE: usize = 300_000;

fn content() -> Vec<u8> {
    (0..SIZE).map(|i| (i * i % 251) as u8).collect()
}

/// A server that knows ranges; at most `sent` bytes an answer.
fn honest(request: &Request, stream: &mut TcpStream, tag: &str, sent: usize) {
    let all = content();
    match &request.range {
        Some((first, known)) if known == tag && *first < SIZE => {
            let rest = &all[*first..];
            let range = format!("Content-Range: bytes {first}-{}/{SIZE}", SIZE - 1);
            let head =
                format!("206 Partial Content\r\nContent-Length: {}\r\n{range}\r\nETag: {tag}", rest.len());
            send(stream, &head, &rest[..sent.min(rest.len())]);
        }
        Some((first, known)) if known == tag && *first >= SIZE => {
            send(stream, "416 Range Not Satisfiable\r\nContent-Length: 0", b"");
        }
        _ => {
            let head = format!("200 OK\r\nContent-Length: {SIZE}\r\nETag: {tag}");
            send(stream, &head, &all[..sent.min(SIZE)]);
        }
    }
}

fn file(folder: &Path) -> PathBuf {
    folder.join("model.zip")
}

fn download(url: &str, folder: &Path, wanted: Option<&Checksum>) -> Result<Vec<(u64, Option<u64>)>, String> {
    let mut seen = Vec::new();
    let progress = &mut |done, size| seen.push((done, size));
    let options = Options { checksum: wanted, ..Options::default() };
    let done = fetch(&[url.to_owned()], &file(folder), options, progress);
    done.map(|()| seen).map_err(|error| error.to_string())
}

fn check(folder: &Path) {
    assert!(std::fs::read(file(folder)).unwrap() == content(), "the file differs");
    assert_eq!(std::fs::read_dir(folder).unwrap().count(), 1, "something else was left behind");
}

#[test]
fn dropped_connections_are_taken_up_where_they_ended() {
    let server = Server::new(|request, _, stream| honest(request, stream, "\"a\"", 100_000));
    let folder = tempfile::tempdir().unwrap();
    let seen = download(&server.url("x"), folder.path(), None).unwrap();
    check(folder.path());
    assert_eq!(server.requests(), 3);
    assert!(seen.windows(2).all(|pair| pair[0].0 <= pair[1].0), "it started over");
    assert_eq!(seen.last(), Some(&(SIZE as u64, Some(SIZE as u64))));
}

/// The connection stays open, but nothing comes any more.
#[test]
fn a_server_that_stalls_is_asked_for_the_rest() {
    let server = Server::new(|request, number, stream| {
        let sent = if number == 0 { 100_000 } else { SIZE };
        honest(request, stream, "\"a\"", sent);
        if number == 0 {
            std::mem::forget(stream.try_clone().unwrap());
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let options = Options { patience: Duration::from_secs(1), ..Options::default() };
    fetch(&[server.url("x")], &file(folder.path()), options, &mut |_, _| {}).unwrap();
    check(folder.path());
    assert_eq!(server.requests(), 2);
}

/// The next process continues, too.
#[test]
fn an_interrupted_process_leaves_a_part_that_is_continued() {
    let server = Server::new(|request, number, stream| match number {
        0 => honest(request, stream, "\"a\"", 100_000),
        1..5 => {}
        _ => honest(request, stream, "\"a\"", SIZE),
    });
    let folder = tempfile::tempdir().unwrap();
    assert!(download(&server.url("x"), folder.path(), None).is_err());
    assert!(!file(folder.path()).exists());
    let seen = download(&server.url("x"), folder.path(), None).unwrap();
    assert_eq!(seen.first(), Some(&(100_000, Some(SIZE as u64))));
    check(folder.path());
}

#[test]
fn a_file_that_changed_meanwhile_is_fetched_anew() {
    let server = Server::new(|request, number, stream| match number {
        0 => send(stream, &format!("200 OK\r\nContent-Length: {SIZE}\r\nETag: \"old\""), &[7; 5000]),
        _ => honest(request, stream, "\"new\"", SIZE),
    });
    let folder = tempfile::tempdir().unwrap();
    download(&server.url("x"), folder.path(), None).unwrap();
    check(folder.path());
}

#[test]
fn a_server_without_ranges_sends_everything_again() {
    let server = Server::new(|_, number, stream| {
        let sent = if number == 0 { 1000 } else { SIZE };
        send(stream, &format!("200 OK\r\nContent-Length: {SIZE}"), &content()[..sent]);
    });
    let folder = tempfile::tempdir().unwrap();
    download(&server.url("x"), folder.path(), None).unwrap();
    check(folder.path());
}

/// Without `ETag` and `Last-Modified` every attempt starts over, and the same beginning is no progress.
#[test]
fn a_server_without_names_for_versions_that_never_sends_the_end_is_given_up() {
    for size in [format!("Content-Length: {SIZE}"), "Transfer-Encoding: chunked".to_owned()] {
        let body = if size.starts_with('C') { vec![7; 1000] } else { [&b"3e8\r\n"[..], &[7; 1000]].concat() };
        let server = Server::new(move |_, _, stream| send(stream, &format!("200 OK\r\n{size}"), &body));
        let folder = tempfile::tempdir().unwrap();
        download(&server.url("x"), folder.path(), None).unwrap_err();
        assert_eq!(server.requests(), 5);
    }
}

#[test]
fn another_part_than_was_asked_for_is_not_taken() {
    let server = Server::new(|request, number, stream| match number {
        0 => honest(request, stream, "\"a\"", 1000),
        1 => {
            let head = format!(
                "206 Partial Content\r\nContent-Length: 1000\r\nContent-Range: bytes 0-999/{SIZE}\r\nETag: \"a\""
            );
            send(stream, &head, &content()[..1000]);
        }
        _ => honest(request, stream, "\"a\"", SIZE),
    });
    let folder = tempfile::tempdir().unwrap();
    download(&server.url("x"), folder.path(), None).unwrap();
    check(folder.path());
}

#[test]
fn a_size_that_is_too_large_is_an_error_in_the_end() {
    let server = Server::new(|request, _, stream| match request.range {
        Some(_) => send(stream, "416 Range Not Satisfiable\r\nContent-Length: 0", b""),
        None => {
            send(stream, &format!("200 OK\r\nContent-Length: {}\r\nETag: \"a\"", SIZE + 1), &content());
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let error = download(&server.url("x"), folder.path(), None).unwrap_err();
    assert!(error.contains("announced 300001 bytes") || error.contains("another part"), "{error}");
    assert!(!file(folder.path()).exists());
}

#[test]
fn a_size_beyond_the_disk_is_refused_before_anything_is_written() {
    let server = Server::new(|_, _, stream| {
        send(stream, &format!("200 OK\r\nContent-Length: {}", u64::MAX / 2), &content());
    });
    let folder = tempfile::tempdir().unwrap();
    let error = download(&server.url("x"), folder.path(), None).unwrap_err();
    assert!(error.contains("bytes free, and the file needs"), "{error}");
    assert_eq!(server.requests(), 1);
}

#[test]
fn checksums_of_users_and_servers_are_checked() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(file(folder.path()), content()).unwrap();
    let wrong: Checksum = format!("sha256:{}", "00".repeat(32)).parse().unwrap();
    let right: Checksum = match wrong.check(&file(folder.path())).unwrap_err() {
        nnunet_download::Error::Checksum { found, .. } => found.parse().unwrap(),
        other => panic!("{other}"),
    };
    std::fs::remove_file(file(folder.path())).unwrap();
    let server = Server::new(|request, _, stream| match request.path.as_str() {
        // The MD5 sum of `abc`.
        "/lie" => {
            let head = format!("200 OK\r\nContent-Length: {SIZE}\r\nContent-MD5: kAFQmDzST7DWlj99KOF/cg==");
            send(stream, &head, &content());
        }
        _ => honest(request, stream, "\"a\"", SIZE),
    });
    download(&server.url("x"), folder.path(), Some(&right)).unwrap();
    check(folder.path());
    std::fs::remove_file(file(folder.path())).unwrap();
    for (path, wanted) in [("x", Some(&wrong)), ("lie", Some(&right))] {
        let error = download(&server.url(path), folder.path(), wanted).unwrap_err();
        assert!(error.contains("the file was deleted"), "{error}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}

#[test]
fn redirections_are_followed_but_not_in_circles() {
    let server = Server::new(|request, _, stream| match request.path.as_str() {
        "/from" => send(stream, "302 Found\r\nLocation: /to\r\nContent-Length: 0", b""),
        "/circle" => send(stream, "302 Found\r\nLocation: /circle\r\nContent-Length: 0", b""),
        _ => honest(request, stream, "\"a\"", SIZE),
    });
    let folder = tempfile::tempdir().unwrap();
    download(&server.url("from"), folder.path(), None).unwrap();
    check(folder.path());
    std::fs::remove_file(file(folder.path())).unwrap();
    let before = server.requests();
    assert!(download(&server.url("circle"), folder.path(), None).unwrap_err().contains("redirect"));
    assert!(server.requests() < before + 20, "a circle was followed again");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

/// Asking again would not help, and only take time.
#[test]
fn addresses_that_lead_nowhere_are_asked_once_and_leave_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let start = std::time::Instant::now();
    for url in ["nonsense", "ftp://host/model.zip", "http://", "http://a b/"] {
        let error = download(url, folder.path(), None).unwrap_err();
        assert!(error.contains("nothing can be downloaded from this address"), "{error}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "{url}");
    }
    assert!(start.elapsed() < Duration::from_secs(3), "they were asked several times");
}

/// Mirrors that are gone, and servers that want a login, answer with a page.
#[test]
fn a_web_page_is_no_file() {
    let page = "200 OK\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: 6";
    let server = Server::new(move |request, _, stream| match request.path.as_str() {
        "/login" => send(stream, page, b"<html>"),
        _ => honest(request, stream, "\"a\"", SIZE),
    });
    let folder = tempfile::tempdir().unwrap();
    let error = download(&server.url("login"), folder.path(), None).unwrap_err();
    assert!(error.contains("sent a web page"), "{error}");
    assert!(!file(folder.path()).exists() && server.requests() == 1);
    let urls = [server.url("login"), server.url("x")];
    fetch(&urls, &file(folder.path()), Options::default(), &mut |_, _| {}).unwrap();
    check(folder.path());
}

#[test]
fn the_next_address_is_asked_where_one_has_no_file() {
    let server = Server::new(|request, _, stream| match request.path.as_str() {
        "/missing" => send(stream, "404 Not Found\r\nContent-Length: 9", b"not found"),
        _ => honest(request, stream, "\"a\"", SIZE),
    });
    let folder = tempfile::tempdir().unwrap();
    let error = download(&server.url("missing"), folder.path(), None).unwrap_err();
    assert!(error.ends_with("the server answers 404"), "{error}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    let urls = [server.url("missing"), server.url("x")];
    fetch(&urls, &file(folder.path()), Options::default(), &mut |_, _| {}).unwrap();
    assert_eq!(std::fs::read(file(folder.path())).unwrap().len(), SIZE);
}
