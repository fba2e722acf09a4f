//! Which process of a training this is, from the variables of torchrun, `nnunet launch` or SLURM.

use anyhow::{Context, Result, ensure};

/// The first port of SLURM's jobs; each job has its own.
const SLURM_PORT: u64 = 20_000;
/// How many ports there are for them.
const SLURM_PORTS: u64 = 20_000;

/// Where a process is among all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) rank: usize,
    /// Among the processes of this machine.
    pub(super) local_rank: usize,
    pub(super) size: usize,
    pub(super) host: String,
    pub(super) port: u16,
    /// Whether this process has the store that they meet at; torchrun has one itself.
    pub(super) serves: bool,
    /// How often the launcher has started all processes before.
    pub(super) attempt: u64,
}

/// Value of an environment variable.
type Variable<'a> = &'a dyn Fn(&str) -> Option<String>;

/// The place of this process; none where it was started alone.
///
/// # Errors
/// Returns an error that names a variable that is missing, or is no number.
pub(super) fn place(variable: Variable<'_>) -> Result<Option<Place>> {
    if variable("WORLD_SIZE").is_some() {
        return of_torchrun(variable);
    }
    of_slurm(variable)
}

/// Whether a launcher has started the processes again after a failure.
pub(crate) fn is_restarted() -> bool {
    attempt(&|name| std::env::var(name).ok()) > 0
}

fn attempt(variable: Variable<'_>) -> u64 {
    variable("TORCHELASTIC_RESTART_COUNT").and_then(|text| text.parse().ok()).unwrap_or(0)
}

fn number<T: std::str::FromStr>(variable: Variable<'_>, name: &str) -> Result<T> {
    let text = variable(name)
        .with_context(|| format!("{name} is not set, which training with several processes needs"))?;
    text.trim().parse().ok().with_context(|| format!("{name}={text} is no number"))
}

fn of_torchrun(variable: Variable<'_>) -> Result<Option<Place>> {
    let size = number(variable, "WORLD_SIZE")?;
    if size < 2 {
        return Ok(None);
    }
    let rank: usize = number(variable, "RANK")?;
    ensure!(rank < size, "RANK={rank}, but WORLD_SIZE={size}");
    let of_agent = variable("TORCHELASTIC_USE_AGENT_STORE").is_some_and(|text| text == "True");
    Ok(Some(Place {
        rank,
        local_rank: number(variable, "LOCAL_RANK").unwrap_or(rank),
        size,
        host: variable("MASTER_ADDR").context("MASTER_ADDR is not set: the host of rank 0")?,
        port: number(variable, "MASTER_PORT")?,
        serves: rank == 0 && !of_agent,
        attempt: attempt(variable),
    }))
}

/// The tasks of a step that `srun` has started. In a batch script itself there is no step.
fn of_slurm(variable: Variable<'_>) -> Result<Option<Place>> {
    let size = variable("SLURM_STEP_NUM_TASKS").and_then(|text| text.parse().ok()).unwrap_or(1);
    if size < 2 {
        return Ok(None);
    }
    let rank: usize = number(variable, "SLURM_PROCID")?;
    let job: u64 = number(variable, "SLURM_JOB_ID")?;
    let nodes = variable("SLURM_STEP_NODELIST").context("SLURM_STEP_NODELIST is not set")?;
    let port = match variable("MASTER_PORT") {
        Some(_) => number(variable, "MASTER_PORT")?,
        None => u16::try_from(SLURM_PORT + job % SLURM_PORTS)?,
    };
    Ok(Some(Place {
        rank,
        local_rank: number(variable, "SLURM_LOCALID").unwrap_or(0),
        size,
        host: variable("MASTER_ADDR").unwrap_or_else(|| first_node(&nodes)),
        port,
        serves: rank == 0,
        attempt: variable("SLURM_RESTART_COUNT").and_then(|text| text.parse().ok()).unwrap_or(0),
    }))
}

/// The first name of a list such as `gpu[07-09,12],login`.
fn first_node(nodes: &str) -> String {
    let Some((name, rest)) = nodes.split_once(['[', ',']) else { return nodes.to_owned() };
    if nodes[name.len()..].starts_with(',') {
        return name.to_owned();
    }
    let numbers = rest.split([']', ',', '-']).next().unwrap_or_default();
    format!("{name}{numbers}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn placed(variables: &[(&str, &str)]) -> Result<Option<Place>> {
        place(&|name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn torchrun_says_who_is_who() {
        let mut variables =
            vec![("WORLD_SIZE", "4"), ("RANK", "0"), ("MASTER_ADDR", "a"), ("MASTER_PORT", "29500")];
        let alone = placed(&variables).unwrap().unwrap();
        assert!(alone.serves && alone.local_rank == 0 && alone.port == 29500);
        variables.extend([("TORCHELASTIC_USE_AGENT_STORE", "True"), ("TORCHELASTIC_RESTART_COUNT", "2")]);
        let with_agent = placed(&variables).unwrap().unwrap();
        assert!(!with_agent.serves && with_agent.attempt == 2);
        assert!(placed(&[("WORLD_SIZE", "2")]).unwrap_err().to_string().contains("RANK is not set"));
        assert_eq!(placed(&[("WORLD_SIZE", "1")]).unwrap(), None);
        assert_eq!(placed(&[]).unwrap(), None);
    }

    #[test]
    fn slurm_says_who_is_who_in_a_step_only() {
        let batch = [("SLURM_NTASKS", "4"), ("SLURM_PROCID", "0"), ("SLURM_JOB_ID", "7")];
        assert_eq!(placed(&batch).unwrap(), None);
        let step = [("SLURM_STEP_NUM_TASKS", "4"), ("SLURM_PROCID", "3"), ("SLURM_LOCALID", "1")];
        let step = [&step[..], &[("SLURM_STEP_NODELIST", "gpu[07-08]"), ("SLURM_JOB_ID", "20007")]].concat();
        let place = placed(&step).unwrap().unwrap();
        let expected = Place {
            rank: 3,
            local_rank: 1,
            size: 4,
            host: "gpu07".to_owned(),
            port: 20_007,
            serves: false,
            attempt: 0,
        };
        assert_eq!(place, expected);
        assert_eq!(["a", "a,b", "n[1,3]", "n[02-04],m"].map(first_node), ["a", "a", "n1", "n02"]);
    }
}
