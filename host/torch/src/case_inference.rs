//! The scores of whole cases after training: a trainer's own inference, or the built-in one.

use std::cell::RefCell;

use nnunet_inference::{Sink, SlidingWindow, Storage, predict_rows};
use nnunet_plugin_api::tch::{Device, Kind, Tensor, no_grad};
use nnunet_plugin_api::{Error, Result, ValidationCase};
use nnunet_trainers::Chain;
use nnunet_training::Engine;

/// How cases are predicted.
pub(crate) struct CaseInference<'a> {
    pub(crate) engine: &'a Engine,
    pub(crate) window: &'a SlidingWindow,
    /// The trainer and its parents.
    pub(crate) trainers: &'a RefCell<Chain>,
}

/// A case that is lent to hooks.
struct WholeCase<'a> {
    inference: &'a CaseInference<'a>,
    name: &'a str,
    image: &'a Tensor,
}

/// Runs the validation with the engine's trainers beside it, so that their hooks can be called.
pub(crate) fn with_trainers<R>(
    engine: &mut Engine,
    body: impl FnOnce(&Engine, &RefCell<Chain>) -> anyhow::Result<R>,
) -> anyhow::Result<R> {
    let trainers = RefCell::new(engine.trainer.take_trainers());
    let result = body(engine, &trainers);
    engine.trainer.return_trainers(trainers.into_inner());
    result
}

impl CaseInference<'_> {
    /// The scores of an image (channels, z, y, x), handed to `sink`.
    ///
    /// # Errors
    /// Returns the error of the hook, of the network or of the sink.
    pub(crate) fn run(&self, name: &str, image: &Tensor, sink: &mut Sink<'_>) -> Result<()> {
        let mut case = WholeCase { inference: self, name, image };
        let own = no_grad(|| self.trainers.borrow_mut().validate_case(&mut case))?;
        match own {
            Some(scores) => sink(0, self.checked(scores, image)?),
            None => self.built_in(image, sink),
        }
    }

    fn built_in(&self, image: &Tensor, sink: &mut Sink<'_>) -> Result<()> {
        predict_rows(&[&*self.engine.network], image, self.window, sink)
    }

    fn checked(&self, scores: Tensor, image: &Tensor) -> Result<Tensor> {
        let mut expected = image.size();
        expected[0] = self.engine.num_classes as i64;
        if scores.size() != expected {
            let found = format!("{:?}", scores.size());
            return Err(Error::shape("scores of validate_case", format!("{expected:?}"), found));
        }
        // Where the built-in inference leaves them.
        let device = match &self.window.sums {
            Storage::Device(device) => *device,
            _ => Device::Cpu,
        };
        Ok(scores.detach().f_to_kind(Kind::Float)?.f_to_device(device)?.f_contiguous()?)
    }
}

impl ValidationCase for WholeCase<'_> {
    fn name(&self) -> &str {
        self.name
    }

    fn image(&self) -> &Tensor {
        self.image
    }

    fn forward(&mut self, patches: &Tensor) -> Result<Tensor> {
        let engine = self.inference.engine;
        let patches = patches.f_to_device(engine.store.device())?.f_to_kind(engine.kind)?;
        let outputs = no_grad(|| engine.network.forward(&patches, false))?;
        let logits = outputs.into_iter().next().ok_or_else(|| Error::message("a network has an output"))?;
        Ok(logits.f_to_kind(Kind::Float)?)
    }

    fn predict(&mut self) -> Result<Tensor> {
        let mut all = Vec::new();
        self.inference.built_in(self.image, &mut |_, rows| {
            // Rows may be views of memory that is used again.
            all.push(rows.f_to_device_(Device::Cpu, Kind::Float, false, true)?);
            Ok(())
        })?;
        Ok(Tensor::f_cat(&all, 1)?)
    }
}
