//! The Amazon States Language: parsing, validation, and a step-by-step interpreter.
