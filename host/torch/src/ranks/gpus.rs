//! How processes on GPUs exchange tensors: by NCCL where every process has a GPU of its own and the library, or else by gloo
//! through main memory.

use anyhow::Result;
use nnunet_cli::commands::device::DeviceChoice;
use nnunet_cli::report;
use nnunet_torch_ops::ranks::Ranks;

use crate::devices;

/// Changes with every start of a machine; containers on it have the same.
const MACHINE: &str = "/proc/sys/kernel/random/boot_id";

/// A GPU for each process of a machine, unless one was named. Where SLURM shows each process a GPU of its own, it is the
/// only one.
pub(super) fn of_rank(choice: DeviceChoice, gpus: impl FnOnce() -> usize, local_rank: usize) -> DeviceChoice {
    if matches!(choice, DeviceChoice::Cpu | DeviceChoice::Cuda(1..)) {
        return choice;
    }
    match gpus() {
        0 => choice,
        1 => DeviceChoice::Cuda(0),
        _ => DeviceChoice::Cuda(local_rank),
    }
}

/// Connects the GPUs of all processes, and says how.
///
/// # Errors
/// Returns an error if a device cannot be used, or if another process has ended.
pub(super) fn connect(ranks: &Ranks, choice: DeviceChoice) -> Result<()> {
    let here = match choice {
        DeviceChoice::Cuda(index) => Here::on_gpu(index)?,
        DeviceChoice::Auto | DeviceChoice::Cpu => Here::default(),
    };
    let all = ranks.gather(here.line().as_bytes())?;
    let all: Vec<Here> = all.iter().map(|line| Here::read(&String::from_utf8_lossy(line))).collect();
    if all.iter().all(|here| here.gpu.is_empty()) {
        return Ok(());
    }
    let why_not = match obstacle(&all) {
        None => use_nccl(ranks, choice)?,
        Some(why) => Some(why),
    };
    if ranks.is_first() {
        report::line(&match why_not {
            None => format!("tensors on GPUs are exchanged by NCCL {}", here.nccl),
            Some(why) => format!("tensors on GPUs are exchanged by gloo through main memory, since {why}"),
        });
    }
    Ok(())
}

/// What others need to know of a process.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Here {
    /// Its GPU, among those of all machines; empty on a CPU.
    gpu: String,
    /// Version of NCCL, if there is one.
    nccl: String,
    /// Why there is none.
    error: String,
}

impl Here {
    fn on_gpu(index: usize) -> Result<Self> {
        devices::resolve(DeviceChoice::Cuda(index))?;
        let machine = std::fs::read_to_string(MACHINE).unwrap_or_default();
        let visible = std::env::var("CUDA_VISIBLE_DEVICES").unwrap_or_default();
        // Processes may see different GPUs of a machine under the same index.
        let name = visible.split(',').nth(index).filter(|name| !name.is_empty());
        let gpu = format!("{} {}", machine.trim(), name.map_or_else(|| index.to_string(), str::to_owned));
        let (nccl, error) = match devices::nccl_version() {
            Ok(version) => (version, String::new()),
            Err(error) => (String::new(), error),
        };
        Ok(Self { gpu, nccl, error })
    }

    fn line(&self) -> String {
        [&self.gpu, &self.nccl, &self.error].map(|part| part.replace('\t', " ")).join("\t")
    }

    fn read(line: &str) -> Self {
        let mut parts = line.splitn(3, '\t').map(str::to_owned);
        let mut next = || parts.next().unwrap_or_default();
        Self { gpu: next(), nccl: next(), error: next() }
    }
}

/// Why NCCL cannot connect these processes.
fn obstacle(all: &[Here]) -> Option<String> {
    all.iter().enumerate().find_map(|(rank, here)| {
        if here.gpu.is_empty() {
            return Some(format!("rank {rank} is on a CPU"));
        }
        if here.nccl.is_empty() {
            return Some(format!("rank {rank} has no NCCL ({})", here.error));
        }
        if here.nccl != all[0].nccl {
            return Some(format!("rank {rank} has NCCL {}, and rank 0 NCCL {}", here.nccl, all[0].nccl));
        }
        let other = all[..rank].iter().position(|other| other.gpu == here.gpu)?;
        Some(format!("the ranks {other} and {rank} have the same GPU"))
    })
}

/// Connects all GPUs, or none; the reason where that fails in a process.
fn use_nccl(ranks: &Ranks, choice: DeviceChoice) -> Result<Option<String>> {
    let DeviceChoice::Cuda(gpu) = choice else { return Ok(None) };
    let error = match ranks.connect_nccl(gpu) {
        Ok(()) => String::new(),
        Err(error) => error.to_string().lines().next().unwrap_or("it does not start").to_owned(),
    };
    let all = ranks.gather(error.as_bytes())?;
    let failed = all.iter().enumerate().find(|(_, error)| !error.is_empty());
    if let Some((rank, error)) = failed {
        return Ok(Some(format!("rank {rank} cannot connect: {}", String::from_utf8_lossy(error))));
    }
    ranks.use_nccl()?;
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn here(gpu: &str, nccl: &str) -> Here {
        Here { gpu: gpu.to_owned(), nccl: nccl.to_owned(), error: "it is missing".to_owned() }
    }

    #[test]
    fn every_process_has_its_own_gpu() {
        use DeviceChoice::{Auto, Cpu, Cuda};
        for (choice, gpus, expected) in [
            (Auto, 0, Auto),
            (Auto, 1, Cuda(0)),
            (Auto, 4, Cuda(3)),
            (Cuda(0), 4, Cuda(3)),
            (Cuda(0), 1, Cuda(0)),
            (Cuda(2), 4, Cuda(2)),
            (Cpu, 4, Cpu),
        ] {
            assert_eq!(of_rank(choice, || gpus, 3), expected, "{choice} of {gpus}");
        }
    }

    #[test]
    fn what_a_process_says_is_read_back() {
        for here in [Here::default(), here("a 0", "2.28.9"), here("a\t0", "")] {
            let read = Here::read(&here.line());
            assert_eq!(read, Here { gpu: here.gpu.replace('\t', " "), ..here });
        }
    }

    #[test]
    fn nccl_needs_a_gpu_and_the_same_library_in_every_process() {
        let all = |others: &[Here]| obstacle(&[&[here("a 0", "2.28.9")], others].concat());
        assert_eq!(all(&[here("a 1", "2.28.9"), here("b 0", "2.28.9")]), None);
        for (other, why) in [
            (Here::default(), "rank 1 is on a CPU"),
            (here("a 1", ""), "rank 1 has no NCCL (it is missing)"),
            (here("a 1", "2.27.3"), "rank 1 has NCCL 2.27.3, and rank 0 NCCL 2.28.9"),
            (here("a 0", "2.28.9"), "the ranks 0 and 1 have the same GPU"),
        ] {
            assert_eq!(all(&[other]).as_deref(), Some(why));
        }
    }
}
