# DynamoDB as Terraform projects use it: applied, planned again without a difference, changed, destroyed.
terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.0"
    }
  }
}

provider "aws" {
  region = "us-east-1"
  default_tags {
    tags = { Project = "fogbank" }
  }
}

resource "aws_dynamodb_table" "orders" {
  name                        = "orders"
  billing_mode                = "PAY_PER_REQUEST"
  hash_key                    = "customer"
  range_key                   = "placed"
  stream_enabled              = true
  stream_view_type            = "NEW_AND_OLD_IMAGES"
  deletion_protection_enabled = false

  attribute {
    name = "customer"
    type = "S"
  }
  attribute {
    name = "placed"
    type = "N"
  }
  attribute {
    name = "state"
    type = "S"
  }
  local_secondary_index {
    name            = "by-state"
    range_key       = "state"
    projection_type = "KEYS_ONLY"
  }
  global_secondary_index {
    name               = "all-by-state"
    hash_key           = "state"
    range_key          = "placed"
    projection_type    = "INCLUDE"
    non_key_attributes = ["total"]
  }
  ttl {
    attribute_name = "expires"
    enabled        = true
  }
  tags = { Team = "red" }
}

resource "aws_dynamodb_table" "counters" {
  name           = "counters"
  hash_key       = "id"
  read_capacity  = 5
  write_capacity = 5

  attribute {
    name = "id"
    type = "S"
  }
}

resource "aws_dynamodb_table_item" "one" {
  table_name = aws_dynamodb_table.counters.name
  hash_key   = aws_dynamodb_table.counters.hash_key
  item       = jsonencode({ id = { S = "one" }, n = { N = "1" } })
}

resource "aws_dynamodb_resource_policy" "counters" {
  resource_arn = aws_dynamodb_table.counters.arn
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "Root"
      Effect    = "Allow"
      Principal = { AWS = "arn:aws:iam::000000000000:root" }
      Action    = "dynamodb:GetItem"
      Resource  = aws_dynamodb_table.counters.arn
    }]
  })
}

data "aws_dynamodb_table" "orders" {
  name = aws_dynamodb_table.orders.name
}

output "stream" {
  value = data.aws_dynamodb_table.orders.stream_arn
}
