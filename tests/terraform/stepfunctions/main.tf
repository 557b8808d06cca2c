# A state machine with logs, a version and an alias, and an activity.
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
}

resource "aws_iam_role" "sfn" {
  name = "tf-sfn"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "states.amazonaws.com" }
    }]
  })
}

resource "aws_cloudwatch_log_group" "sfn" {
  name = "/tf/sfn"
}

resource "aws_sfn_state_machine" "orders" {
  name     = "tf-orders"
  role_arn = aws_iam_role.sfn.arn
  type     = "EXPRESS"
  publish  = true

  definition = jsonencode({
    QueryLanguage = "JSONata"
    StartAt       = "Greet"
    States = {
      Greet = {
        Type   = "Pass"
        Output = { hello = "{% $states.input.name %}", note = "first" }
        End    = true
      }
    }
  })

  logging_configuration {
    log_destination        = "${aws_cloudwatch_log_group.sfn.arn}:*"
    include_execution_data = true
    level                  = "ALL"
  }

  tags = { team = "orders" }
}

resource "aws_sfn_alias" "live" {
  name = "live"
  routing_configuration {
    state_machine_version_arn = aws_sfn_state_machine.orders.state_machine_version_arn
    weight                    = 100
  }
}

resource "aws_sfn_activity" "approve" {
  name = "tf-approve"
}
