//! Processes that train together: what two of them on this machine find.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nnunet_torch_ops::ranks::{self, Meeting, Ranks};
use tch::{Kind, Tensor};

const RANK: &str = "NNUNET_TEST_RANK";
const PORT: &str = "NNUNET_TEST_PORT";

/// Runs a test of this file in two processes, and the work in each of them.
fn with_two(test: &str, work: impl FnOnce(&'static Ranks)) {
    let Ok(rank) = std::env::var(RANK) else {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let start = |rank: usize| -> Child {
            let mut command = Command::new(std::env::current_exe().unwrap());
            command.args(["--exact", test, "--nocapture"]).stdout(Stdio::piped()).stderr(Stdio::piped());
            command.env(RANK, rank.to_string()).env(PORT, port.to_string()).spawn().unwrap()
        };
        for (rank, child) in [start(0), start(1)].into_iter().enumerate() {
            let output = child.wait_with_output().unwrap();
            let text = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "rank {rank}, {}: {text}", output.status);
        }
        return;
    };
    let rank = rank.parse().unwrap();
    let meeting = Meeting {
        rank,
        size: 2,
        host: "127.0.0.1".to_owned(),
        port: std::env::var(PORT).unwrap().parse().unwrap(),
        serves: rank == 0,
        prefix: "test".to_owned(),
        address: "127.0.0.1".to_owned(),
        timeout: Duration::from_secs(60),
    };
    work(ranks::join(&meeting).unwrap());
}

#[test]
fn values_are_added_and_handed_on() {
    with_two("values_are_added_and_handed_on", |ranks| {
        let here = ranks.rank() as f64;
        let sum = ranks.sum(&Tensor::from_slice(&[here, 2.0])).unwrap();
        assert_eq!(Vec::<f64>::try_from(sum).unwrap(), [1.0, 4.0]);
        let taken = Tensor::from_slice(&[here + 5.0, here]).reshape([2, 1]).transpose(0, 1);
        ranks.take_from_first(&[taken.shallow_clone()]).unwrap();
        assert_eq!(Vec::<f64>::try_from(taken.reshape([2])).unwrap(), [5.0, 0.0]);
        assert!(ranks.any(ranks.rank() == 1).unwrap() && !ranks.any(false).unwrap());
        let texts = ["first", "the second"];
        let all = ranks.gather(texts[ranks.rank()].as_bytes()).unwrap();
        assert_eq!(all, texts.map(|text| text.as_bytes().to_vec()));
        ranks.note(&format!("said by {}", ranks.rank()), "so").unwrap();
        let other = format!("said by {}", 1 - ranks.rank());
        assert_eq!(ranks.noted(&other, Duration::from_secs(30)).unwrap(), "so");
        assert!(ranks.noted("nothing", Duration::from_millis(10)).is_err());
        ranks.barrier().unwrap();
    });
}

/// Gradients of a batch of three that two processes share, of a mean and of a quotient of sums, are those of one process.
#[test]
fn gradients_are_those_of_the_whole_batch() {
    with_two("gradients_are_those_of_the_whole_batch", |ranks| {
        let _seeded = tch::manual_seed(1);
        let batch = Tensor::randn([3, 4], (Kind::Double, tch::Device::Cpu));
        let [whole, shared] = [0, 1].map(|_| {
            let weights = Tensor::arange(8, (Kind::Double, tch::Device::Cpu)).reshape([4, 2]) / 10.0;
            weights.set_requires_grad(true)
        });
        // A parameter that nothing depends on.
        let unused = Tensor::zeros([3], (Kind::Double, tch::Device::Cpu)).set_requires_grad(true);
        let loss = |batch: &Tensor, weights: &Tensor, samples: usize| {
            let outputs = batch.matmul(weights).sigmoid();
            let sums = outputs.sum_dim_intlist([0_i64].as_slice(), false, None::<Kind>);
            let sums = ranks::sum_with_gradient(&sums, samples).unwrap();
            outputs.square().mean(None::<Kind>) + (&sums.get(0) / (&sums.get(1) + 1.0))
        };
        ranks.average_gradients_of(&[shared.shallow_clone(), unused.shallow_clone()]).unwrap();
        ranks.set_batch(3);
        let share = ranks::share(3);
        assert_eq!(share.len(), 2 - ranks.rank());
        for _ in 0..2 {
            let mut shared = shared.shallow_clone();
            shared.zero_grad();
            let part = batch.narrow(0, share.start as i64, share.len() as i64);
            let loss = loss(&part, &shared, share.len());
            let weighted = &loss * ranks.weight();
            ranks.prepare_backward(&weighted).unwrap();
            weighted.backward();
        }
        // One process computes as if it were alone: what is added up is added up here.
        let outputs = batch.matmul(&whole).sigmoid();
        let sums = outputs.sum_dim_intlist([0_i64].as_slice(), false, None::<Kind>);
        let alone = outputs.square().mean(None::<Kind>) + (&sums.get(0) / (&sums.get(1) + 1.0));
        alone.backward();
        let difference = (whole.grad() - shared.grad()).abs().max().double_value(&[]);
        assert!(difference < 1e-12, "{difference}");
        let part = batch.narrow(0, share.start as i64, share.len() as i64);
        let mean = ranks.mean_loss(&loss(&part, &shared, share.len()));
        assert!((mean.unwrap() - alone).abs().double_value(&[]) < 1e-12);
        ranks.barrier().unwrap();
    });
}

/// A process that ends makes the others fail, soon.
#[test]
fn the_end_of_a_process_is_noticed() {
    with_two("the_end_of_a_process_is_noticed", |ranks| {
        ranks.barrier().unwrap();
        if ranks.rank() == 1 {
            std::process::exit(0);
        }
        assert!(ranks.barrier().is_err());
    });
}
