//! Checks of heads.

use nnunet_plugin_core::{Config, Make, Result};
use nnunet_plugin_torch::tch::{Device, Kind as Element, Tensor, no_grad};
use nnunet_plugin_torch::{Head, HeadTask, TaskHead};

use crate::findings::{Report, text};
use crate::random::seeded;

const LABELS: i64 = 2;

pub(crate) fn head(make: &Make<dyn Head>, report: &mut Report<'_>) {
    let Some(head) = report.made("is created from its defaults", make(&Config::new())) else { return };
    let head = TaskHead::new(head, HeadTask { labels: LABELS as usize, regions: None });
    let Some(outputs) = report.made("has outputs", head.outputs()) else { return };
    let _turn = seeded();
    for space in [&[4, 6, 8][..], &[6, 8]] {
        let axes = space.len();
        let (targets, scores) = (targets(&head, space), no_grad(|| scores(&head, outputs as i64, space)));
        report.note(&format!("makes targets of labels of {axes} axes"), targets.map_err(text));
        report.note(&format!("makes scores of outputs of {axes} axes"), scores.map_err(text));
    }
    let of = [outputs as i64, 4, 6, 8];
    let written = head.written(&Tensor::rand(of, (Element::Float, Device::Cpu)));
    report.note("makes of scores what is written", written.map(drop).map_err(text));
}

fn targets(head: &TaskHead, space: &[i64]) -> Result<()> {
    let size = [&[2, 1], space].concat();
    head.targets(&Tensor::randint(LABELS + 1, size, (Element::Int64, Device::Cpu))).map(drop)
}

fn scores(head: &TaskHead, outputs: i64, space: &[i64]) -> Result<()> {
    head.scores(&Tensor::randn([&[2, outputs], space].concat(), (Element::Float, Device::Cpu))).map(drop)
}
