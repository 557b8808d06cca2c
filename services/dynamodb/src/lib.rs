//! Amazon DynamoDB: tables, items, indexes, transactions, streams.
