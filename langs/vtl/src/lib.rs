//! The Velocity template language, as API Gateway's mapping templates speak it.
