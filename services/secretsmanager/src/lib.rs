//! AWS Secrets Manager: secrets, their versions and rotation.
