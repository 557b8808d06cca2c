# Keys, secrets and parameters as Terraform projects use them.
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

data "aws_caller_identity" "me" {}

data "aws_iam_policy_document" "key" {
  statement {
    sid       = "Root"
    actions   = ["kms:*"]
    resources = ["*"]
    principals {
      type        = "AWS"
      identifiers = ["arn:aws:iam::${data.aws_caller_identity.me.account_id}:root"]
    }
  }
}

resource "aws_iam_role" "app" {
  name = "app"
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Principal = { Service = "lambda.amazonaws.com" }, Action = "sts:AssumeRole" }]
  })
}

resource "aws_kms_key" "main" {
  description             = "first"
  enable_key_rotation     = true
  rotation_period_in_days = 180
  deletion_window_in_days = 7
  policy                  = data.aws_iam_policy_document.key.json
  tags                    = { Team = "red" }
}

resource "aws_kms_key" "mac" {
  customer_master_key_spec = "HMAC_256"
  key_usage                = "GENERATE_VERIFY_MAC"
  deletion_window_in_days  = 7
}

resource "aws_kms_alias" "main" {
  name          = "alias/main"
  target_key_id = aws_kms_key.main.key_id
}

resource "aws_kms_grant" "app" {
  name              = "app"
  key_id            = aws_kms_key.main.key_id
  grantee_principal = aws_iam_role.app.arn
  operations        = ["Decrypt", "GenerateDataKey"]
  constraints {
    encryption_context_equals = { app = "fogbank" }
  }
}

resource "aws_kms_ciphertext" "oauth" {
  key_id    = aws_kms_key.main.key_id
  plaintext = "client-secret"
  context   = { app = "fogbank" }
}

data "aws_kms_alias" "managed" {
  name = "alias/aws/secretsmanager"
}

resource "aws_secretsmanager_secret" "db" {
  name                    = "app/db"
  description             = "The database"
  kms_key_id              = aws_kms_key.main.arn
  recovery_window_in_days = 0
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { AWS = aws_iam_role.app.arn }
      Action    = "secretsmanager:GetSecretValue"
      Resource  = "*"
    }]
  })
  tags = { Team = "red" }
}

resource "aws_secretsmanager_secret_version" "db" {
  secret_id     = aws_secretsmanager_secret.db.id
  secret_string = jsonencode({ username = "app", password = data.aws_secretsmanager_random_password.db.random_password })
  lifecycle {
    ignore_changes = [secret_string]
  }
}

data "aws_secretsmanager_random_password" "db" {
  password_length     = 40
  exclude_punctuation = true
}

data "aws_secretsmanager_secret_version" "db" {
  secret_id  = aws_secretsmanager_secret.db.arn
  depends_on = [aws_secretsmanager_secret_version.db]
}

resource "aws_ssm_parameter" "url" {
  name        = "/app/url"
  description = "Where it is"
  type        = "String"
  value       = "https://one.example.com"
  tags        = { Team = "red" }
}

resource "aws_ssm_parameter" "password" {
  name   = "/app/password"
  type   = "SecureString"
  value  = "hidden"
  key_id = aws_kms_key.main.arn
}

resource "aws_ssm_parameter" "default_key" {
  name  = "/app/token"
  type  = "SecureString"
  value = "hidden too"
}

resource "aws_ssm_parameter" "list" {
  name            = "/app/list"
  type            = "StringList"
  tier            = "Advanced"
  value           = "a,b,c"
  allowed_pattern = "^[a-z,]+$"
}

data "aws_ssm_parameter" "image" {
  name = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
}

data "aws_ssm_parameters_by_path" "app" {
  path       = "/app"
  depends_on = [aws_ssm_parameter.url, aws_ssm_parameter.list, aws_ssm_parameter.password, aws_ssm_parameter.default_key]
}

output "names" {
  value = data.aws_ssm_parameters_by_path.app.names
}
