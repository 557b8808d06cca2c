//! Rules: assertions about the values of parameters.
//!
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/rules-section-structure.html>

use serde_json::Value;

use crate::{Error, Eval, Result, Template};

/// Holds every rule of a template against the parameters that `eval` knows.
///
/// # Errors
/// `Template validation error: …` with the description of the assertion that fails.
pub fn check(template: &Template, eval: &Eval<'_>) -> Result<()> {
    for (name, rule) in &template.rules {
        if let Some(condition) = rule.get("RuleCondition")
            && !eval.truth(condition)?
        {
            continue;
        }
        let Some(Value::Array(all)) = rule.get("Assertions") else {
            return Err(Error::format(format_args!("Rule {name} must have Assertions")));
        };
        for one in all {
            let Some(assertion) = one.get("Assert") else {
                return Err(Error::format(format_args!(
                    "Every Assertions member of rule {name} must contain an Assert"
                )));
            };
            if !eval.truth(assertion)? {
                let words = one.get("AssertDescription").and_then(Value::as_str);
                return Err(Error(match words {
                    Some(d) => format!("Template validation error: {d}"),
                    None => format!("Template validation error: rule {name} is not met"),
                }));
            }
        }
    }
    Ok(())
}
