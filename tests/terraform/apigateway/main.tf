terraform {
  required_providers { aws = { source = "hashicorp/aws" } }
}
provider "aws" { region = "us-east-1" }

# --- HTTP API
resource "aws_apigatewayv2_api" "http" {
  name          = "http"
  protocol_type = "HTTP"
  description   = "first"
  cors_configuration {
    allow_origins = ["https://a.example"]
    allow_methods = ["GET"]
    max_age       = 60
  }
  tags = { Part = "http" }
}
resource "aws_apigatewayv2_integration" "proxy" {
  api_id                 = aws_apigatewayv2_api.http.id
  integration_type       = "HTTP_PROXY"
  integration_method     = "ANY"
  integration_uri        = "http://127.0.0.1:9/{proxy}"
  request_parameters     = { "overwrite:header.x-a" = "$request.header.b", "append:querystring.c" = "d" }
  response_parameters {
    status_code = "500"
    mappings    = { "overwrite:statuscode" = "503" }
  }
}
resource "aws_apigatewayv2_integration" "lambda" {
  api_id                 = aws_apigatewayv2_api.http.id
  integration_type       = "AWS_PROXY"
  integration_method     = "POST"
  integration_uri        = "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:000000000000:function:f/invocations"
  payload_format_version = "2.0"
}
resource "aws_apigatewayv2_authorizer" "jwt" {
  api_id           = aws_apigatewayv2_api.http.id
  name             = "jwt"
  authorizer_type  = "JWT"
  identity_sources = ["$request.header.Authorization"]
  jwt_configuration {
    audience = ["me"]
    issuer   = "https://issuer.example"
  }
}
resource "aws_apigatewayv2_authorizer" "function" {
  api_id                            = aws_apigatewayv2_api.http.id
  name                              = "function"
  authorizer_type                   = "REQUEST"
  authorizer_uri                    = aws_apigatewayv2_integration.lambda.integration_uri
  identity_sources                  = ["$request.header.x"]
  authorizer_payload_format_version = "2.0"
  enable_simple_responses           = true
}
resource "aws_apigatewayv2_route" "proxy" {
  api_id             = aws_apigatewayv2_api.http.id
  route_key          = "ANY /x/{proxy+}"
  target             = "integrations/${aws_apigatewayv2_integration.proxy.id}"
  authorization_type = "AWS_IAM"
}
resource "aws_apigatewayv2_route" "jwt" {
  api_id               = aws_apigatewayv2_api.http.id
  route_key            = "GET /jwt"
  target               = "integrations/${aws_apigatewayv2_integration.lambda.id}"
  authorization_type   = "JWT"
  authorizer_id        = aws_apigatewayv2_authorizer.jwt.id
  authorization_scopes = ["a"]
}
resource "aws_apigatewayv2_route" "custom" {
  api_id             = aws_apigatewayv2_api.http.id
  route_key          = "GET /custom"
  target             = "integrations/${aws_apigatewayv2_integration.lambda.id}"
  authorization_type = "CUSTOM"
  authorizer_id      = aws_apigatewayv2_authorizer.function.id
}
resource "aws_apigatewayv2_stage" "default" {
  api_id      = aws_apigatewayv2_api.http.id
  name        = "$default"
  auto_deploy = true
  default_route_settings {
    throttling_burst_limit = 10
    throttling_rate_limit  = 5
  }
  access_log_settings {
    destination_arn = "arn:aws:logs:us-east-1:000000000000:log-group:/api"
    format          = "{\"id\":\"$context.requestId\"}"
  }
}
resource "aws_apigatewayv2_deployment" "one" {
  api_id     = aws_apigatewayv2_api.http.id
  depends_on = [aws_apigatewayv2_route.proxy, aws_apigatewayv2_route.jwt]
}
resource "aws_apigatewayv2_stage" "manual" {
  api_id          = aws_apigatewayv2_api.http.id
  name            = "manual"
  deployment_id   = aws_apigatewayv2_deployment.one.id
  stage_variables = { v = "1" }
  tags            = { Part = "stage" }
}

# --- REST API
resource "aws_api_gateway_rest_api" "rest" {
  name               = "rest"
  description        = "first"
  binary_media_types = ["image/png"]
  endpoint_configuration { types = ["REGIONAL"] }
  tags = { Part = "rest" }
}
resource "aws_api_gateway_rest_api_policy" "rest" {
  rest_api_id = aws_api_gateway_rest_api.rest.id
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Principal = "*", Action = "execute-api:Invoke", Resource = "${aws_api_gateway_rest_api.rest.execution_arn}/*" }]
  })
}
resource "aws_api_gateway_resource" "orders" {
  rest_api_id = aws_api_gateway_rest_api.rest.id
  parent_id   = aws_api_gateway_rest_api.rest.root_resource_id
  path_part   = "orders"
}
resource "aws_api_gateway_model" "order" {
  rest_api_id  = aws_api_gateway_rest_api.rest.id
  name         = "Order"
  content_type = "application/json"
  schema       = jsonencode({ type = "object" })
}
resource "aws_api_gateway_request_validator" "all" {
  rest_api_id           = aws_api_gateway_rest_api.rest.id
  name                  = "all"
  validate_request_body = true
}
resource "aws_api_gateway_authorizer" "token" {
  rest_api_id    = aws_api_gateway_rest_api.rest.id
  name           = "token"
  authorizer_uri = aws_apigatewayv2_integration.lambda.integration_uri
}
resource "aws_api_gateway_method" "post" {
  rest_api_id          = aws_api_gateway_rest_api.rest.id
  resource_id          = aws_api_gateway_resource.orders.id
  http_method          = "POST"
  authorization        = "CUSTOM"
  authorizer_id        = aws_api_gateway_authorizer.token.id
  api_key_required     = true
  request_validator_id = aws_api_gateway_request_validator.all.id
  request_models       = { "application/json" = aws_api_gateway_model.order.name }
  request_parameters   = { "method.request.querystring.a" = true }
}
resource "aws_api_gateway_integration" "post" {
  rest_api_id       = aws_api_gateway_rest_api.rest.id
  resource_id       = aws_api_gateway_resource.orders.id
  http_method       = aws_api_gateway_method.post.http_method
  type              = "MOCK"
  request_templates = { "application/json" = "{\"statusCode\": 200}" }
}
resource "aws_api_gateway_method_response" "post" {
  rest_api_id         = aws_api_gateway_rest_api.rest.id
  resource_id         = aws_api_gateway_resource.orders.id
  http_method         = aws_api_gateway_method.post.http_method
  status_code         = "200"
  response_parameters = { "method.response.header.X-A" = true }
  response_models     = { "application/json" = "Empty" }
}
resource "aws_api_gateway_integration_response" "post" {
  rest_api_id         = aws_api_gateway_rest_api.rest.id
  resource_id         = aws_api_gateway_resource.orders.id
  http_method         = aws_api_gateway_method.post.http_method
  status_code         = aws_api_gateway_method_response.post.status_code
  response_parameters = { "method.response.header.X-A" = "'a'" }
  response_templates  = { "application/json" = "{}" }
  depends_on          = [aws_api_gateway_integration.post]
}
resource "aws_api_gateway_gateway_response" "denied" {
  rest_api_id         = aws_api_gateway_rest_api.rest.id
  response_type       = "ACCESS_DENIED"
  status_code         = "401"
  response_parameters = { "gatewayresponse.header.X-B" = "'b'" }
  response_templates  = { "application/json" = "{\"m\":$context.error.messageString}" }
}
resource "aws_api_gateway_deployment" "one" {
  rest_api_id = aws_api_gateway_rest_api.rest.id
  triggers    = { redeploy = aws_api_gateway_integration.post.id }
  depends_on  = [aws_api_gateway_integration_response.post]
  lifecycle { create_before_destroy = true }
}
resource "aws_api_gateway_stage" "prod" {
  rest_api_id   = aws_api_gateway_rest_api.rest.id
  deployment_id = aws_api_gateway_deployment.one.id
  stage_name    = "prod"
  variables     = { v = "1" }
  access_log_settings {
    destination_arn = "arn:aws:logs:us-east-1:000000000000:log-group:/rest"
    format          = "$context.requestId"
  }
  tags = { Part = "stage" }
}
resource "aws_api_gateway_method_settings" "all" {
  rest_api_id = aws_api_gateway_rest_api.rest.id
  stage_name  = aws_api_gateway_stage.prod.stage_name
  method_path = "*/*"
  settings {
    logging_level          = "ERROR"
    throttling_burst_limit = 20
    throttling_rate_limit  = 10
  }
}
resource "aws_api_gateway_api_key" "one" { name = "one" }
resource "aws_api_gateway_usage_plan" "one" {
  name = "one"
  api_stages {
    api_id = aws_api_gateway_rest_api.rest.id
    stage  = aws_api_gateway_stage.prod.stage_name
  }
  quota_settings {
    limit  = 100
    period = "DAY"
  }
  throttle_settings {
    burst_limit = 5
    rate_limit  = 10
  }
}
resource "aws_api_gateway_usage_plan_key" "one" {
  key_id        = aws_api_gateway_api_key.one.id
  key_type      = "API_KEY"
  usage_plan_id = aws_api_gateway_usage_plan.one.id
}
resource "aws_api_gateway_rest_api" "imported" {
  name = "imported"
  body = jsonencode({
    openapi = "3.0.1"
    info    = { title = "imported", version = "1" }
    paths = { "/a" = { get = {
      responses                         = { "200" = { description = "ok" } }
      "x-amazon-apigateway-integration" = { type = "http_proxy", httpMethod = "GET", uri = "http://127.0.0.1:9/" }
    } } }
  })
}
