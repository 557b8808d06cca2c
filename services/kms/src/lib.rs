//! AWS KMS: keys, aliases, grants, and what they encrypt.
