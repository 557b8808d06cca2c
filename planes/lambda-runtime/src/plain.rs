//! Where the kernel has no sandboxes for us: a function as a plain process of this machine, with
//! Lambda's paths translated to where things really lie.
//!
//! Nothing is kept from such a function, so what would be untrue is refused: tenant isolation,
//! mounts, several layers in one `/opt`. It reaches AWS by `AWS_ENDPOINT_URL`, as no name leads
//! here.

use std::path::{Path, PathBuf};

use crate::Spec;
use crate::runtimes::Interpreter;
use crate::world::{self, Assets};

/// Where the things lie that a sandbox shows under Lambda's paths. In a sandbox: there.
#[derive(Debug, Default)]
pub struct Places {
    moved: Vec<(PathBuf, PathBuf)>,
    /// What SDKs call instead of AWS's names.
    endpoint: Option<String>,
}

/// Variables that mean nothing outside of a sandbox.
const INSIDE_ONLY: [&str; 4] =
    ["LD_LIBRARY_PATH", "_LAMBDA_TELEMETRY_LOG_FD", "AWS_XRAY_DAEMON_ADDRESS", "LANG"];

impl Places {
    /// For a plain process.
    ///
    /// # Errors
    /// What the function asks for that a plain process cannot have.
    pub fn outside(
        spec: &Spec,
        i: &Interpreter,
        assets: &Assets,
        endpoint: Option<String>,
    ) -> Result<Places, String> {
        let refused = if spec.tenant.is_some() {
            "tenant isolation"
        } else if !spec.mounts.is_empty() {
            "file systems"
        } else if spec.layers.len() > 1 {
            "more than one layer"
        } else {
            ""
        };
        if !refused.is_empty() {
            return Err(format!(
                "{refused} needs sandboxes, which this machine refuses; see `fogbank doctor`"
            ));
        }
        let mut moved = vec![
            (world::inside(i), i.program.clone()),
            (world::CA_BUNDLE.into(), assets.bundle()),
            ("/var/runtime".into(), assets.runtime(i.language)),
            ("/var/task".into(), spec.code.clone()),
        ];
        moved.extend(i.prefix.iter().map(|p| ("/var/lang".into(), p.clone())));
        moved.extend(i.sdk.iter().map(|p| ("/var/sdk".into(), p.clone())));
        moved.extend(spec.layers.iter().map(|p| ("/opt".into(), p.clone())));
        Ok(Places { moved, endpoint })
    }

    fn is_plain(&self) -> bool {
        !self.moved.is_empty()
    }

    /// Whether a process can be given a third descriptor for its log records.
    pub fn has_frames(&self) -> bool {
        !self.is_plain()
    }

    /// Where one of Lambda's paths really lies; anything else is left alone.
    pub fn path(&self, text: &str) -> String {
        let found = self.moved.iter().find_map(|(inside, outside)| {
            let rest = Path::new(text).strip_prefix(inside).ok()?;
            Some(if rest.as_os_str().is_empty() { outside.clone() } else { outside.join(rest) })
        });
        found.map_or_else(|| text.to_owned(), |p| p.display().to_string())
    }

    /// The variables of a process. Those that the function sets are left as they are.
    pub fn variables(&self, all: Vec<(String, String)>, spec: &Spec) -> Vec<(String, String)> {
        if !self.is_plain() {
            return all;
        }
        let own = |name: &str| spec.environment.iter().any(|(n, _)| n == name);
        let mut moved: Vec<(String, String)> = Vec::with_capacity(all.len() + 4);
        for (name, value) in all {
            if own(&name) {
                moved.push((name, value));
            } else if !INSIDE_ONLY.contains(&name.as_str()) {
                let parts: Vec<String> = value.split(':').map(|p| self.path(p)).collect();
                moved.push((name, parts.join(":")));
            }
        }
        let mut add = |name: &str, value: String| {
            if !own(name) {
                moved.push((name.to_owned(), value));
            }
        };
        add("_FOGBANK_SDK", self.path("/var/sdk"));
        add("_FOGBANK_OPT", self.path("/opt"));
        if let Some(endpoint) = &self.endpoint {
            add("AWS_ENDPOINT_URL", endpoint.clone());
        }
        moved
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::tests::spec;

    #[test]
    fn paths_are_translated_and_the_function_has_its_own_way() {
        let places = Places {
            moved: vec![("/var/task".into(), "/code".into()), ("/opt".into(), "/layer".into())],
            endpoint: Some("http://127.0.0.1:4566".into()),
        };
        let mut spec = spec();
        spec.environment = vec![("MINE".into(), "/opt/x".into())];
        let pair = |n: &str, v: &str| (n.to_owned(), v.to_owned());
        let all = vec![
            pair("LAMBDA_TASK_ROOT", "/var/task"),
            pair("NODE_PATH", "/opt/nodejs:/var/tasks:/var/task/x"),
            pair("LD_LIBRARY_PATH", "/lib"),
            pair("MINE", "/opt/x"),
        ];
        assert_eq!(
            places.variables(all.clone(), &spec),
            [
                pair("LAMBDA_TASK_ROOT", "/code"),
                pair("NODE_PATH", "/layer/nodejs:/var/tasks:/code/x"),
                pair("MINE", "/opt/x"),
                pair("_FOGBANK_SDK", "/var/sdk"),
                pair("_FOGBANK_OPT", "/layer"),
                pair("AWS_ENDPOINT_URL", "http://127.0.0.1:4566"),
            ]
        );
        assert_eq!(Places::default().variables(all.clone(), &spec), all);
    }
}
