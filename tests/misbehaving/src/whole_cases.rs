//! A split and an inference of whole cases that go wrong on request.

use nnunet_plugin_api::tch::{Kind as Element, Tensor};
use nnunet_plugin_api::{Fold, Result, ValidationCase};

use crate::{fault, for_ever, until_cancelled};

pub(crate) fn split(cases: &[String]) -> Result<Option<Fold>> {
    let fold = |train: &[String], val: &[String]| Ok(Some(Fold { train: train.to_vec(), val: val.to_vec() }));
    let (val, train) = cases.split_at(1);
    match fault().as_str() {
        "split_panic" => panic!("split panics as requested"),
        "split_empty" => fold(train, &[]),
        "split_twice" => fold(cases, val),
        "split_unknown" => fold(train, &["nobody".to_owned()]),
        "split_endless" => Err(until_cancelled()),
        "split_deaf" => for_ever(),
        _ => Ok(None),
    }
}

pub(crate) fn validate(case: &mut dyn ValidationCase) -> Result<Option<Tensor>> {
    match fault().as_str() {
        "case_panic" => panic!("validate_case panics as requested"),
        "case_nan" => Ok(Some(case.predict()?.f_mul_scalar(f64::NAN)?)),
        "case_shape" => Ok(Some(case.predict()?.f_narrow(1, 0, 1)?)),
        "case_classes" => Ok(Some(case.predict()?.f_narrow(0, 0, 1)?)),
        "case_dtype" => Ok(Some(case.predict()?.f_to_kind(Element::Int64)?)),
        "case_patch" => {
            case.forward(&Tensor::f_zeros([1, 1, 1], (Element::Float, case.image().device()))?).map(Some)
        }
        "case_endless" => Err(until_cancelled()),
        "case_deaf" => for_ever(),
        _ => Ok(None),
    }
}
