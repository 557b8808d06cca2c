# Logs and metrics as Terraform projects use them: applied, planned again without a difference, changed, destroyed.
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

resource "aws_cloudwatch_log_group" "app" {
  name              = "/app/web"
  retention_in_days = 14
  tags              = { Team = "red" }
}

resource "aws_cloudwatch_log_stream" "one" {
  name           = "one"
  log_group_name = aws_cloudwatch_log_group.app.name
}

resource "aws_cloudwatch_log_metric_filter" "errors" {
  name           = "errors"
  pattern        = "?ERROR ?FATAL"
  log_group_name = aws_cloudwatch_log_group.app.name

  metric_transformation {
    name          = "errors"
    namespace     = "App"
    value         = "1"
    default_value = "0"
  }
}

resource "aws_cloudwatch_log_metric_filter" "slow" {
  name           = "slow"
  pattern        = "{ $.ms > 100 }"
  log_group_name = aws_cloudwatch_log_group.app.name

  metric_transformation {
    name       = "slow"
    namespace  = "App"
    value      = "$.ms"
    unit       = "Milliseconds"
    dimensions = { path = "$.path" }
  }
}

resource "aws_cloudwatch_log_resource_policy" "events" {
  policy_name = "events"
  policy_document = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "events.amazonaws.com" }
      Action    = ["logs:CreateLogStream", "logs:PutLogEvents"]
      Resource  = "arn:aws:logs:*:*:log-group:/aws/events/*:*"
    }]
  })
}

resource "aws_cloudwatch_metric_alarm" "errors" {
  alarm_name          = "errors"
  alarm_description   = "Too many errors"
  namespace           = "App"
  metric_name         = "errors"
  statistic           = "Sum"
  period              = 60
  evaluation_periods  = 3
  datapoints_to_alarm = 2
  threshold           = 5
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  tags                = { Team = "red" }
}

resource "aws_cloudwatch_metric_alarm" "slow" {
  alarm_name          = "slow"
  namespace           = "App"
  metric_name         = "slow"
  extended_statistic  = "p99"
  period              = 300
  evaluation_periods  = 1
  threshold           = 500
  comparison_operator = "GreaterThanOrEqualToThreshold"
}

resource "aws_cloudwatch_metric_alarm" "rate" {
  alarm_name          = "rate"
  comparison_operator = "GreaterThanThreshold"
  evaluation_periods  = 2
  threshold           = 0.1

  metric_query {
    id          = "rate"
    expression  = "errors / FILL(requests, 1)"
    label       = "Error rate"
    return_data = true
  }
  metric_query {
    id = "errors"
    metric {
      namespace   = "App"
      metric_name = "errors"
      period      = 60
      stat        = "Sum"
    }
  }
  metric_query {
    id = "requests"
    metric {
      namespace   = "App"
      metric_name = "requests"
      period      = 60
      stat        = "Sum"
      dimensions  = { path = "/" }
    }
  }
}

resource "aws_cloudwatch_composite_alarm" "any" {
  alarm_name = "any"
  alarm_rule = "ALARM(${aws_cloudwatch_metric_alarm.errors.alarm_name}) OR ALARM(${aws_cloudwatch_metric_alarm.slow.alarm_name})"
}

resource "aws_cloudwatch_dashboard" "app" {
  dashboard_name = "app"
  dashboard_body = jsonencode({
    widgets = [{ type = "text", x = 0, y = 0, width = 3, height = 3, properties = { markdown = "first" } }]
  })
}

resource "aws_xray_group" "faults" {
  group_name        = "faults"
  filter_expression = "fault = true"
}

resource "aws_xray_sampling_rule" "all" {
  rule_name      = "all"
  priority       = 100
  version        = 1
  reservoir_size = 1
  fixed_rate     = 0.5
  url_path       = "/*"
  host           = "*"
  http_method    = "*"
  service_type   = "*"
  service_name   = "*"
  resource_arn   = "*"
}
