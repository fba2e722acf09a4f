//! Signals during matrix products: none is lost, and no product changes.
//!
//! ```sh
//! NNUNET_SIGNALS=2000 cargo test --release -p nnunet-host-torch --test signals
//! ```
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "tests fail by panicking")]

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use nnunet_host_torch::signals::{self, stop_signals};
use nnunet_plugin_api::tch::{Device, Kind, Tensor};

/// Signals in a run by CI.
const FEW: usize = 150;
/// Length of the axes of the matrices: large enough for all threads of oneDNN.
const LENGTH: i64 = 384;

fn main() {
    let count = std::env::var("NNUNET_SIGNALS").ok().map_or(FEW, |text| text.parse().unwrap());
    let arrived = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&arrived);
    let count_one = move || {
        counter.fetch_add(1, Ordering::SeqCst);
    };
    signals::listen(count_one).unwrap();
    let seen = Arc::clone(&arrived);
    let sender = std::thread::spawn(move || send(count, &seen));
    let products = multiply(|| !sender.is_finished());
    sender.join().unwrap();
    assert_eq!(arrived.load(Ordering::SeqCst), count);
    assert!(products > 0);
    println!("{count} signals during {products} matrix products");
}

/// Sends signals to this process, each after the one before has arrived: equal ones would become one.
fn send(count: usize, arrived: &AtomicUsize) {
    let process = std::process::id().to_string();
    let signals = stop_signals();
    for number in 0..count {
        let signal = format!("-{}", signals[number % signals.len()]);
        assert!(Command::new("kill").args([&signal, &process]).status().unwrap().success());
        while arrived.load(Ordering::SeqCst) <= number {
            std::thread::yield_now();
        }
    }
    check_masks();
}

/// Multiplies the same matrices in single and half precision as long as `goes_on`, and compares with the first results.
fn multiply(goes_on: impl Fn() -> bool) -> usize {
    let kinds = [Kind::Float, Kind::BFloat16];
    let matrices = kinds.map(|kind| {
        let numbers = Tensor::arange(LENGTH * LENGTH, (Kind::Float, Device::Cpu)).sin();
        numbers.reshape([LENGTH, LENGTH]).to_kind(kind)
    });
    let first = matrices.each_ref().map(|matrix| matrix.matmul(matrix));
    let mut products = 0;
    while goes_on() {
        for (matrix, first) in matrices.iter().zip(&first) {
            assert!(matrix.matmul(matrix).equal(first), "a matrix product changed");
            products += 1;
        }
    }
    products
}

/// Checks that no thread of this process can be interrupted by the signals.
fn check_masks() {
    let mut threads = 0;
    for thread in std::fs::read_dir("/proc/self/task").unwrap() {
        let status = std::fs::read_to_string(thread.unwrap().path().join("status")).unwrap();
        let blocked = status.lines().find_map(|line| line.strip_prefix("SigBlk:")).unwrap();
        let blocked = u64::from_str_radix(blocked.trim(), 16).unwrap();
        let all = stop_signals().iter().all(|signal| blocked & (1 << (signal - 1)) != 0);
        assert!(all, "a thread can be interrupted: {status}");
        threads += 1;
    }
    assert!(threads > 2);
}
