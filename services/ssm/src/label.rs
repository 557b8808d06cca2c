//! Labels of versions.
//!
//! <https://docs.aws.amazon.com/systems-manager/latest/userguide/sysman-paramstore-labels.html>

use fogbank_core::{ApiError, Cx, Op, Result, ops};
use serde::{Deserialize, Serialize};

use crate::error::{no_version, not_found};
use crate::{Ssm, authz, name};

pub const OPS: &[Op<Ssm>] = ops![
    LabelParameterVersion => label_parameter_version [authz::on_name],
    UnlabelParameterVersion => unlabel_parameter_version [authz::on_name],
];

/// As many labels as a version may have.
const MOST: usize = 10;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct LabelInput {
    name: String,
    parameter_version: Option<u64>,
    labels: Vec<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct LabelOutput {
    invalid_labels: Vec<String>,
    parameter_version: u64,
}

/// <https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_LabelParameterVersion.html>
async fn label_parameter_version(ssm: &Ssm, cx: &Cx, input: LabelInput) -> Result<LabelOutput> {
    let place = ssm.own(cx, &name::read(cx, &input.name)).await?.place;
    ssm.edit(&place, not_found, |head| {
        let number = input.parameter_version.unwrap_or(head.version);
        if !(head.oldest..=head.version).contains(&number) {
            return Err(no_version(&input.name, number));
        }
        let (good, bad): (Vec<String>, Vec<String>) =
            input.labels.into_iter().partition(|l| is_label(l));
        for label in good {
            head.labels.retain(|(l, _)| *l != label);
            head.labels.push((label, number));
        }
        if head.labels_of(number).len() > MOST {
            return Err(ApiError::new(
                "ParameterVersionLabelLimitExceeded",
                format!(
                    "A parameter version can have maximum {MOST} labels. Move one or more \
                         labels to another version and try again."
                ),
            ));
        }
        Ok(LabelOutput { invalid_labels: bad, parameter_version: number })
    })
    .await
}

fn is_label(label: &str) -> bool {
    let first = label.to_ascii_lowercase();
    !first.starts_with("aws")
        && !first.starts_with("ssm")
        && !label.starts_with(|c: char| c.is_ascii_digit())
        && label.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct UnlabelOutput {
    removed_labels: Vec<String>,
    invalid_labels: Vec<String>,
}

/// <https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_UnlabelParameterVersion.html>
async fn unlabel_parameter_version(ssm: &Ssm, cx: &Cx, input: LabelInput) -> Result<UnlabelOutput> {
    let place = ssm.own(cx, &name::read(cx, &input.name)).await?.place;
    ssm.edit(&place, not_found, |head| {
        let number = input.parameter_version.unwrap_or(head.version);
        if !(head.oldest..=head.version).contains(&number) {
            return Err(no_version(&input.name, number));
        }
        let has = head.labels_of(number);
        let (removed, invalid): (Vec<String>, Vec<String>) =
            input.labels.into_iter().partition(|l| has.contains(l));
        head.labels.retain(|(l, n)| *n != number || !removed.contains(l));
        Ok(UnlabelOutput { removed_labels: removed, invalid_labels: invalid })
    })
    .await
}
