//! Amazon API Gateway, REST APIs (v1).
