//! Names of trainers that v1 and v2 both have.

/// In place of an architecture: the network that v2's plans name, with the parameters beside this name.
pub const PLANNED_NETWORK: &str = "of_the_plans";

/// v2's names that v1 has too, and what v2's trainers are registered as.
const SHARED: [(&str, &str); 2] =
    [("nnUNetTrainer", "nnUNetv2Trainer"), ("nnUNetTrainerNoDA", "nnUNetv2TrainerNoDA")];

/// What a trainer of a name is registered as that v2's commands, or children of v2's trainers, mean.
#[must_use]
pub fn registered_in_v2(name: &str) -> &str {
    SHARED.iter().find(|(shared, _)| *shared == name).map_or(name, |(_, registered)| registered)
}

/// v2's own name of a trainer.
#[must_use]
pub fn name_in_v2(registered: &str) -> &str {
    SHARED.iter().find(|(_, other)| *other == registered).map_or(registered, |(name, _)| name)
}
