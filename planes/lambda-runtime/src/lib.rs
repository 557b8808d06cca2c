//! Execution environments: the Runtime and Extensions APIs around a sandboxed function.
