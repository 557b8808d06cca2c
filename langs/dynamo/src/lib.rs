//! DynamoDB's languages: expressions, legacy conditions, PartiQL, numbers.
