//! What a request must have: parameters and a body that fits its model.
//!
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-method-request-validation.html>

use super::{Exec, Refusal};
use crate::compiled::Target;

impl Exec<'_> {
    pub(super) fn validate(&mut self, target: &Target) -> Result<(), Refusal> {
        let method = &target.method;
        let Some(validator) =
            method.request_validator_id.as_ref().and_then(|id| self.deployed.validators.get(id))
        else {
            return Ok(());
        };
        if validator.validate_request_parameters {
            let required = method.request_parameters.iter().filter(|(_, r)| **r);
            let missing: Vec<&str> = required
                .filter(|(name, _)| self.source(name, None).is_none_or(|v| v.is_empty()))
                .filter_map(|(name, _)| name.splitn(4, '.').nth(3))
                .collect();
            if !missing.is_empty() {
                let text = format!("Missing required request parameters: [{}]", missing.join(", "));
                return Err(Refusal::of("BAD_REQUEST_PARAMETERS", &text));
            }
        }
        if validator.validate_request_body && !self.body_fits(target) {
            return Err(Refusal::of("BAD_REQUEST_BODY", "Invalid request body"));
        }
        self.note(|| "Request validation succeeded".to_owned());
        Ok(())
    }

    fn body_fits(&mut self, target: &Target) -> bool {
        let media = self.visit.header("content-type").map(fogbank_apigw::media_type);
        let media = media.filter(|m| !m.is_empty()).unwrap_or("application/json");
        let models = &target.method.request_models;
        let named = models.iter().find(|(t, _)| t.eq_ignore_ascii_case(media));
        let Some((_, name)) = named.or_else(|| models.get_key_value("$default")) else {
            return true;
        };
        let Some(schema) = self.deployed.models.get(name) else { return true };
        let body: &[u8] = if self.visit.body.is_empty() { b"{}" } else { &self.visit.body };
        let Ok(document) = serde_json::from_slice(body) else { return false };
        let models = &self.deployed.models;
        let fits = schema.fits(&document, &|name: &str| models.get(name).cloned());
        if !fits {
            self.context.set("error.validationErrorString", "[instance failed to match the model]");
        }
        fits
    }
}
