//! Temporary sessions and the look-ups that IAM and STS share.
