//! The integration tests: a whole fogbank, driven by clients that nobody here wrote.
#![cfg(test)]

mod apigateway;
mod bad_input;
mod blueprint;
mod crash;
mod data_directory;
mod dynamodb;
mod iam;
mod messaging;
mod observability;
mod scripts;
mod secrets;
mod sfn;
mod shell;
mod sqs_crash;
mod terraform;
