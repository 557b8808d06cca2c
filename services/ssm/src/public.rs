//! AWS's public parameters, those that everyday tools read: images and Regions.
//!
//! <https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-public-parameters.html>
//!
//! The ids of images are made of the parameter's name and the Region: the same in every fogbank, and
//! no image of AWS's.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use fogbank_core::Time;
use jiff::Timestamp;
use sha2::{Digest, Sha256};

use crate::get::View;
use crate::record::{Kind, arn};

/// Whether a name is of those that belong to AWS.
pub fn is_public(name: &str) -> bool {
    name.starts_with("/aws/service/")
}

enum Content {
    Text(String),
    /// The id of the image that the name stands for; the name it is known by may be another one's.
    Image(String),
}

static TABLE: LazyLock<BTreeMap<String, Content>> = LazyLock::new(table);

const LINUX: &str = "/aws/service/ami-amazon-linux-latest/";
const IMAGES: &[&str] = &[
    "al2023-ami-kernel-default-x86_64",
    "al2023-ami-kernel-default-arm64",
    "al2023-ami-kernel-6.1-x86_64",
    "al2023-ami-kernel-6.1-arm64",
    "al2023-ami-kernel-6.12-x86_64",
    "al2023-ami-kernel-6.12-arm64",
    "al2023-ami-minimal-kernel-default-x86_64",
    "al2023-ami-minimal-kernel-default-arm64",
    "amzn2-ami-hvm-x86_64-gp2",
    "amzn2-ami-hvm-x86_64-ebs",
    "amzn2-ami-hvm-arm64-gp2",
    "amzn2-ami-kernel-5.10-hvm-x86_64-gp2",
    "amzn2-ami-kernel-5.10-hvm-arm64-gp2",
];
const KUBERNETES: &[&str] = &["1.29", "1.30", "1.31", "1.32", "1.33", "1.34"];
const UBUNTU: &[&str] = &["20.04", "22.04", "24.04"];

/// Name, what people call it, country.
const REGIONS: &[(&str, &str, &str)] = &[
    ("af-south-1", "Africa (Cape Town)", "ZA"),
    ("ap-east-1", "Asia Pacific (Hong Kong)", "HK"),
    ("ap-northeast-1", "Asia Pacific (Tokyo)", "JP"),
    ("ap-northeast-2", "Asia Pacific (Seoul)", "KR"),
    ("ap-northeast-3", "Asia Pacific (Osaka)", "JP"),
    ("ap-south-1", "Asia Pacific (Mumbai)", "IN"),
    ("ap-southeast-1", "Asia Pacific (Singapore)", "SG"),
    ("ap-southeast-2", "Asia Pacific (Sydney)", "AU"),
    ("ca-central-1", "Canada (Central)", "CA"),
    ("eu-central-1", "Europe (Frankfurt)", "DE"),
    ("eu-north-1", "Europe (Stockholm)", "SE"),
    ("eu-south-1", "Europe (Milan)", "IT"),
    ("eu-west-1", "Europe (Ireland)", "IE"),
    ("eu-west-2", "Europe (London)", "GB"),
    ("eu-west-3", "Europe (Paris)", "FR"),
    ("me-south-1", "Middle East (Bahrain)", "BH"),
    ("sa-east-1", "South America (Sao Paulo)", "BR"),
    ("us-east-1", "US East (N. Virginia)", "US"),
    ("us-east-2", "US East (Ohio)", "US"),
    ("us-west-1", "US West (N. California)", "US"),
    ("us-west-2", "US West (Oregon)", "US"),
];

fn table() -> BTreeMap<String, Content> {
    let mut all = BTreeMap::new();
    let mut image = |name: String, of: &str| {
        all.insert(name, Content::Image(of.to_owned()));
    };
    for name in IMAGES {
        image(format!("{LINUX}{name}"), name);
    }
    for v in KUBERNETES {
        for arch in ["x86_64", "arm64"] {
            let path =
                format!("/aws/service/eks/optimized-ami/{v}/amazon-linux-2023/{arch}/standard");
            image(format!("{path}/recommended/image_id"), &format!("eks-{v}-{arch}"));
            let path = format!("/aws/service/bottlerocket/aws-k8s-{v}/{arch}/latest");
            image(format!("{path}/image_id"), &format!("bottlerocket-{v}-{arch}"));
        }
    }
    for (path, of) in [
        ("amazon-linux-2023/recommended", "ecs-al2023-x86_64"),
        ("amazon-linux-2023/arm64/recommended", "ecs-al2023-arm64"),
        ("amazon-linux-2/recommended", "ecs-al2-x86_64"),
        ("amazon-linux-2/arm64/recommended", "ecs-al2-arm64"),
    ] {
        image(format!("/aws/service/ecs/optimized-ami/{path}/image_id"), of);
    }
    for v in UBUNTU {
        for arch in ["amd64", "arm64"] {
            let disk = if *v == "24.04" { "ebs-gp3" } else { "ebs-gp2" };
            let path =
                format!("/aws/service/canonical/ubuntu/server/{v}/stable/current/{arch}/hvm");
            image(format!("{path}/{disk}/ami-id"), &format!("ubuntu-{v}-{arch}"));
        }
    }
    for (name, long, country) in REGIONS {
        let path = format!("/aws/service/global-infrastructure/regions/{name}");
        let mut text = |name: String, text: &str| {
            all.insert(name, Content::Text(text.to_owned()));
        };
        text(format!("{path}/domain"), "amazonaws.com");
        text(format!("{path}/geolocationCountry"), country);
        text(format!("{path}/longName"), long);
        text(format!("{path}/partition"), "aws");
        text(path, name);
    }
    all
}

/// The id of an image in a Region.
fn image_id(region: &str, image: &str) -> String {
    let digest = Sha256::digest(format!("fogbank image {image} in {region}"));
    format!("ami-0{}", &hex::encode(digest)[..16])
}

fn view(region: &str, name: &str, content: &Content) -> View {
    let (value, data_type) = match content {
        Content::Text(text) => (text.clone(), "text"),
        Content::Image(image) => (image_id(region, image), "aws:ec2:image"),
    };
    View {
        name: name.to_owned(),
        kind: Kind::String,
        value,
        version: 1,
        selector: None,
        source_result: None,
        // They are as old as this table.
        last_modified_date: Time(Timestamp::from_second(1_767_225_600).unwrap_or_default()),
        arn: arn("", region, name),
        data_type: data_type.to_owned(),
    }
}

/// A public parameter, as it is in a Region.
pub fn get(region: &str, name: &str) -> Option<View> {
    TABLE.get(name).map(|c| view(region, name, c))
}

/// The public parameters below a path, in order.
pub fn below(region: &str, prefix: &str, recursive: bool) -> Vec<View> {
    TABLE
        .range(prefix.to_owned()..)
        .take_while(|(name, _)| name.starts_with(prefix))
        .filter(|(name, _)| recursive || !name[prefix.len()..].contains('/'))
        .map(|(name, content)| view(region, name, content))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_have_ids_of_their_own_in_each_region() {
        let name = format!("{LINUX}al2023-ami-kernel-default-x86_64");
        let here = get("us-east-1", &name).unwrap();
        assert!(here.value.starts_with("ami-0") && here.value.len() == 21, "{}", here.value);
        assert_ne!(here.value, get("eu-west-1", &name).unwrap().value);
        assert_eq!(here.arn, format!("arn:aws:ssm:us-east-1::parameter{name}"));
        assert!(get("us-east-1", "/aws/service/none").is_none());
    }

    #[test]
    fn regions_are_below_their_path() {
        let path = "/aws/service/global-infrastructure/regions/";
        assert_eq!(below("us-east-1", path, false).len(), REGIONS.len());
        assert_eq!(below("us-east-1", path, true).len(), REGIONS.len() * 5);
    }
}
