//! TestState: one state, by itself, with every step of its data shown.
