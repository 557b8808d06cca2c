//! The service principals that AWS knows: `lambda.amazonaws.com` and its like.

/// Whether `host` is a service principal: a known name, maybe with a region in it
/// (`states.eu-west-1.amazonaws.com`, `s3.us-east-1.amazonaws.com`).
#[must_use]
pub fn is_principal(host: &str) -> bool {
    if OTHER_DOMAINS.contains(&host) {
        return true;
    }
    name(host).is_some_and(|n| known(n) || known(without_region(n)))
}

/// Whether a policy that names the service `policy` means the caller `caller`. A name without a
/// region means the service in every region, and fogbank's services call themselves so.
#[must_use]
pub fn means(policy: &str, caller: &str) -> bool {
    if policy == caller {
        return true;
    }
    match (name(policy), name(caller)) {
        (Some(p), Some(c)) => without_region(p) == c || p == without_region(c),
        _ => false,
    }
}

fn name(host: &str) -> Option<&str> {
    host.strip_suffix(".amazonaws.com").or_else(|| host.strip_suffix(".amazonaws.com.cn"))
}

fn without_region(name: &str) -> &str {
    name.rsplit_once('.').filter(|(_, r)| is_region(r)).map_or(name, |(n, _)| n)
}

fn known(name: &str) -> bool {
    !name.is_empty() && NAMES.split(' ').any(|n| n == name)
}

fn is_region(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let letters = |s: &&str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_lowercase());
    match parts.as_slice() {
        [area, middle @ .., number] if !middle.is_empty() => {
            area.len() == 2
                && middle.iter().all(letters)
                && number.len() == 1
                && number.bytes().all(|b| b.is_ascii_digit())
        }
        _ => false,
    }
}

const OTHER_DOMAINS: &[&str] =
    &["aws-crypto-tools.internal", "eks-fargate-pods.aws.internal", "redshift.amazon.com"];

/// Without `.amazonaws.com`, separated by blanks.
const NAMES: &str = "\
    a4b access-analyzer account acm acm-pca agreement-marketplace aiops.alarms.cloudwatch airflow \
    airflow-env alarms.cloudwatch alexa-appkit alexa-connectedhome amazonmq amplify amplifybackend \
    aoss apidestinations.events apigateway app-integrations appconfig appflow \
    application-autoscaling application-insights application-signals applicationinsights appmesh \
    appmesh-preview apprunner appstream appstream.application-autoscaling appsync aps aps-sharing \
    arc-zonal-shift arczonalshift artifact assets.iotsitewise athena auditmanager auditservice \
    autoscaling autoscaling-plans aws-artifact-account-sync b2bi backup backup-gateway \
    backup-storage batch bedrock bedrock-agentcore bedrock.application-autoscaling billing \
    billingconductor braket budgets build.apprunner cases cassandra \
    cassandra.application-autoscaling ce channels.lex chatbot chime cks.kms cleanrooms cleanrooms-ml \
    cloud9 clouddirectory cloudformation cloudfront cloudfront-logs cloudhsm cloudsearch cloudtrail \
    cloudwatch cloudwatch-crossaccount codeartifact codebuild codecatalyst codecatalyst-runner \
    codecommit codeconnections codedeploy codeguru-profiler codeguru-reviewer codeguru-security \
    codepipeline codestar codestar-connections codestar-notifications cognito-identity cognito-idp \
    cognito-sync comprehend comprehend.application-autoscaling compute-optimizer config \
    config-conforms config-multiaccountsetup connect connect-campaigns connectparticipant \
    continuousexport.discovery controltower cost-optimization-hub cur \
    custom-resource.application-autoscaling customer-profiles databrew dataexchange datapipeline \
    datasync datazone dax dax.application-autoscaling deadline deepcomposer deeplens deepracer \
    delivery.logs delivery.s3 detective devicefarm devops-guru directconnect discovery dlm dms docdb \
    docdb-elastic drs ds dsql dynamodb dynamodb.application-autoscaling ec2 ec2-instance-connect \
    ec2.application-autoscaling ec2fleet ec2rni ec2scheduled ecr ecr-public ecs ecs-tasks \
    ecs.application-autoscaling edgelambda eks eks-auth eks-connector eks-fargate eks-fargate-pods \
    eks-nodegroup eks.networking elasticache elasticache.application-autoscaling elasticbeanstalk \
    elasticfilesystem elasticloadbalancing elasticmapreduce elastictranscoder email email-smtp \
    emr-containers emr-serverless entitlement.marketplace es events events.workmail evidently \
    export.rds finspace firehose fis fms forecast frauddetector freertos fsx gamelift geo glacier \
    globalaccelerator glue grafana greengrass groundstation guardduty health healthlake honeycode \
    hooks.cloudformation iam identitystore imagebuilder importexport inspector inspector2 \
    internetmonitor invoicing iot iotanalytics iotdeviceadvisor iotdevicemanagement iotevents \
    iotfleethub iotfleetwise iotsitewise iotthingsgraph iottwinmaker iotwireless ipam ivs ivschat \
    kafka kafka.application-autoscaling kafkaconnect kendra kinesis kinesisanalytics kinesisvideo \
    kms lakeformation lambda lambda.alarms.cloudwatch launchwizard lex lexv2 license-manager \
    license-manager.marketplace lightsail log-delivery.elasticache logger.cloudfront logging.s3 logs \
    lookoutequipment lookoutmetrics lookoutvision m2 machinelearning macie macie2 maintenance.ssm \
    malware-protection-plan.guardduty malware-protection.guardduty managedblockchain managedservices \
    marketplace marketplace.license-management mediaconnect mediaconvert medialive mediapackage \
    mediapackagev2 mediastore mediatailor medical-imaging member.org.stacksets.cloudformation \
    memorydb memorydb.application-autoscaling metering-marketplace metrics.cloudwatch mgh mgn \
    migrationhub migrationhub-orchestrator migrationhub-strategy mobileanalytics mobilehub \
    monitoring monitron mq multiaccountsetup.config neptune neptune-graph \
    neptune.application-autoscaling network-firewall networkmanager nimble notifications oam \
    observabilityadmin omics ops.apigateway opsworks opsworks-cm organizations osis outposts \
    partnercentral-account-management payment-cryptography pca-connector-ad pca-connector-scep pcs \
    personalize pi pinpoint pipes pods.eks polly pricing private-networks proton purchaseorders q \
    qapps qbusiness qldb quicksight ram rbin rds rds-preview rds.application-autoscaling redshift \
    redshift-data redshift-serverless rekognition replication.dynamodb replication.ecr \
    replicator.lambda reporting.trustedadvisor repostspace resiliencehub resource-explorer-2 \
    resource-groups resources.cloudformation robomaker rolesanywhere route53 \
    route53-recovery-control-config route53domains route53profiles route53resolver rum s3 \
    s3-object-lambda s3-outposts s3express s3tables sagemaker sagemaker-groundtruth \
    sagemaker.application-autoscaling savingsplans scheduler schemas sdb secretsmanager securityhub \
    securityincidentresponse securitylake serverlessrepo servicecatalog servicecatalog-appregistry \
    servicediscovery servicequotas ses session.qldb shield signer signin simpledb sms sms-voice \
    snow-device-management snowball sns social-messaging spot spotfleet sqs ssm ssm-contacts \
    ssm-guiconnect ssm-incidents ssm-incidents.alarms.cloudwatch ssm-quicksetup ssm-sap \
    ssm.alarms.cloudwatch ssmmessages sso sso-directory stacksets.cloudformation states \
    storage-lens.s3 storagegateway streams.metrics.cloudwatch sts sumerian support swf synthetics \
    tagging tagpolicies.tag tasks.apprunner tax textract thinkbox timestream timestream-influxdb tnb \
    transcribe transcribe.streaming transfer transitgateway translate trustedadvisor \
    user-notifications user-subscriptions verified-access verifiedpermissions vmie voiceid vpc \
    vpc-endpoint vpc-flow-logs vpc-lattice vpce waf waf-regional wafv2 wavelength wellarchitected \
    wisdom workdocs worklink workmail workspaces workspaces-web workspaces.application-autoscaling \
    xray";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_in_a_name() {
        assert!(means("logs.us-east-1.amazonaws.com", "logs.amazonaws.com"));
        assert!(means("logs.amazonaws.com", "logs.us-east-1.amazonaws.com"));
        assert!(!means("logs.us-east-1.amazonaws.com", "logs.eu-west-1.amazonaws.com"));
        assert!(!means("delivery.logs.amazonaws.com", "logs.amazonaws.com"));
        assert!(!means("logs.amazonaws.com", "lambda.amazonaws.com"));
    }

    #[test]
    fn known_and_unknown_services() {
        for good in [
            "lambda.amazonaws.com",
            "elasticfilesystem.amazonaws.com",
            "ec2.amazonaws.com.cn",
            "logs.us-east-1.amazonaws.com",
            "states.us-gov-west-1.amazonaws.com",
            "delivery.logs.amazonaws.com",
            "scheduler.amazonaws.com",
            "pods.eks.amazonaws.com",
        ] {
            assert!(is_principal(good), "{good}");
        }
        for bad in [
            "s3files.amazonaws.com",
            "",
            "*",
            "lambda",
            "lambda.example.com",
            ".amazonaws.com",
            "us-east-1.amazonaws.com",
            "lambda.nowhere.amazonaws.com",
            "LAMBDA.amazonaws.com",
        ] {
            assert!(!is_principal(bad), "{bad}");
        }
    }
}
