# The article's website as code. Nothing here names an endpoint: it is what one would apply to AWS.
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

variable "bucket" {
  type    = string
  default = "my-aws-website-tf"
}

locals {
  site  = "${path.module}/../site"
  types = { html = "text/html", css = "text/css" }
}

resource "aws_s3_bucket" "site" {
  bucket        = var.bucket
  force_destroy = true
}

resource "aws_s3_bucket_public_access_block" "site" {
  bucket                  = aws_s3_bucket.site.id
  block_public_acls       = false
  block_public_policy     = false
  ignore_public_acls      = false
  restrict_public_buckets = false
}

resource "aws_s3_object" "files" {
  for_each     = fileset(local.site, "**")
  bucket       = aws_s3_bucket.site.id
  key          = each.value
  source       = "${local.site}/${each.value}"
  etag         = filemd5("${local.site}/${each.value}")
  content_type = lookup(local.types, reverse(split(".", each.value))[0], "application/octet-stream")
}

resource "aws_s3_bucket_website_configuration" "site" {
  bucket = aws_s3_bucket.site.id
  index_document { suffix = "index.html" }
  error_document { key = "error.html" }
}

resource "aws_s3_bucket_policy" "site" {
  bucket     = aws_s3_bucket.site.id
  depends_on = [aws_s3_bucket_public_access_block.site]
  policy     = replace(file("${path.module}/../policy.json"), "YOUR-BUCKET-NAME", aws_s3_bucket.site.id)
}

output "website_endpoint" {
  value = aws_s3_bucket_website_configuration.site.website_endpoint
}
