//! What services are called: in resources, in the models, and in errors.

/// A service's names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    /// In the models: `events`.
    pub model: String,
    /// Before the dot of an error: `EventBridge`.
    pub error: String,
    /// The exception of what the model does not name.
    pub base: String,
    /// In the cause.
    pub service: String,
}

/// As the SDKs' packages name services, where that is not the model's name; and as their classes do.
const SDK: [(&str, &str, &str); 44] = [
    ("acm", "acm", "Acm"),
    ("apigateway", "apigateway", "ApiGateway"),
    ("apigatewaymanagementapi", "apigatewaymanagementapi", "ApiGatewayManagementApi"),
    ("apigatewayv2", "apigatewayv2", "ApiGatewayV2"),
    ("applicationautoscaling", "application-autoscaling", "ApplicationAutoScaling"),
    ("autoscaling", "autoscaling", "AutoScaling"),
    ("cloudformation", "cloudformation", "CloudFormation"),
    ("cloudfront", "cloudfront", "CloudFront"),
    ("cloudtrail", "cloudtrail", "CloudTrail"),
    ("cloudwatch", "cloudwatch", "CloudWatch"),
    ("cloudwatchlogs", "logs", "CloudWatchLogs"),
    ("codebuild", "codebuild", "CodeBuild"),
    ("cognitoidentity", "cognito-identity", "CognitoIdentity"),
    ("cognitoidentityprovider", "cognito-idp", "CognitoIdentityProvider"),
    ("dynamodb", "dynamodb", "DynamoDb"),
    ("ec2", "ec2", "Ec2"),
    ("ecr", "ecr", "Ecr"),
    ("ecs", "ecs", "Ecs"),
    ("efs", "efs", "Efs"),
    ("eks", "eks", "Eks"),
    ("elasticloadbalancingv2", "elbv2", "ElasticLoadBalancingV2"),
    ("eventbridge", "events", "EventBridge"),
    ("firehose", "firehose", "Firehose"),
    ("iam", "iam", "Iam"),
    ("kinesis", "kinesis", "Kinesis"),
    ("kms", "kms", "Kms"),
    ("lambda", "lambda", "Lambda"),
    ("organizations", "organizations", "Organizations"),
    ("pipes", "pipes", "Pipes"),
    ("rds", "rds", "Rds"),
    ("rdsdata", "rds-data", "RdsData"),
    ("resourcegroupstaggingapi", "resourcegroupstaggingapi", "ResourceGroupsTaggingApi"),
    ("route53", "route53", "Route53"),
    ("s3", "s3", "S3"),
    ("s3control", "s3control", "S3Control"),
    ("scheduler", "scheduler", "Scheduler"),
    ("secretsmanager", "secretsmanager", "SecretsManager"),
    ("sfn", "stepfunctions", "Sfn"),
    ("sns", "sns", "Sns"),
    ("sqs", "sqs", "Sqs"),
    ("ssm", "ssm", "Ssm"),
    ("sts", "sts", "Sts"),
    ("wafv2", "wafv2", "Wafv2"),
    ("xray", "xray", "XRay"),
];

/// The names of `aws-sdk:NAME`.
pub fn sdk(name: &str) -> Names {
    let found = SDK.iter().find(|(sdk, ..)| *sdk == name);
    let (model, class) = match found {
        Some((_, model, class)) => ((*model).to_owned(), (*class).to_owned()),
        None => {
            let mut chars = name.chars();
            let first = chars.next().map(|c| c.to_ascii_uppercase().to_string());
            (name.to_owned(), first.unwrap_or_default() + chars.as_str())
        }
    };
    Names { base: format!("{class}Exception"), error: class.clone(), service: class, model }
}

/// The names of an optimised integration.
pub fn optimised(service: &str) -> Option<Names> {
    let (model, error, base, long) = match service {
        "lambda" => ("lambda", "Lambda", "AWSLambdaException", "AWSLambda"),
        "dynamodb" => ("dynamodb", "DynamoDB", "AmazonDynamoDBException", "AmazonDynamoDBv2"),
        "sqs" => ("sqs", "SQS", "AmazonSQSException", "AmazonSQS"),
        "sns" => ("sns", "SNS", "AmazonSNSException", "AmazonSNS"),
        "events" => ("events", "EventBridge", "AmazonEventBridgeException", "AmazonEventBridge"),
        "states" => {
            ("stepfunctions", "StepFunctions", "AWSStepFunctionsException", "AWSStepFunctions")
        }
        "ecs" => ("ecs", "ECS", "AmazonECSException", "AmazonECS"),
        "s3" => ("s3", "S3", "AmazonS3Exception", "Amazon S3"),
        _ => return None,
    };
    let own = str::to_owned;
    Some(Names { model: own(model), error: own(error), base: own(base), service: own(long) })
}

/// The exception of a shape: shapes without the word get it.
pub fn exception(shape: &str) -> String {
    if shape.ends_with("Exception") { shape.to_owned() } else { format!("{shape}Exception") }
}
