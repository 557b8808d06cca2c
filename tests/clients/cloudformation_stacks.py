"""CloudFormation by boto3: stacks that are made, changed, rolled back and taken away."""

import json

from common import ACCOUNT, client, fails, ok, same, until

cfn = client("cloudformation")
sqs = client("sqs")
s3 = client("s3")
iam = client("iam")
logs = client("logs")

BASE = {
    "Parameters": {"Delay": {"Type": "Number", "Default": "5", "MaxValue": 900}},
    "Conditions": {"Slow": {"Fn::Equals": [{"Ref": "Delay"}, "60"]}},
    "Resources": {
        "Queue": {
            "Type": "AWS::SQS::Queue",
            "Properties": {"DelaySeconds": {"Ref": "Delay"}, "Tags": [{"Key": "team", "Value": "red"}]},
        },
        "Bucket": {"Type": "AWS::S3::Bucket", "Properties": {"VersioningConfiguration": {"Status": "Enabled"}}},
        "Role": {
            "Type": "AWS::IAM::Role",
            "Properties": {
                "AssumeRolePolicyDocument": {
                    "Version": "2012-10-17",
                    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"},
                                   "Action": "sts:AssumeRole"}],
                },
                "Policies": [{
                    "PolicyName": "p",
                    "PolicyDocument": {"Version": "2012-10-17", "Statement": [
                        {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": {"Fn::GetAtt": ["Queue", "Arn"]}}]},
                }],
            },
        },
        "Extra": {"Type": "AWS::SQS::Queue", "Condition": "Slow"},
        "Logs": {"Type": "AWS::Logs::LogGroup",
                 "Properties": {"LogGroupName": {"Fn::Sub": "/app/${AWS::StackName}"}, "RetentionInDays": "7"}},
    },
    "Outputs": {
        "Url": {"Value": {"Ref": "Queue"}, "Export": {"Name": {"Fn::Sub": "${AWS::StackName}-url"}}},
        "Bucket": {"Value": {"Fn::GetAtt": "Bucket.Arn"}, "Description": "the bucket"},
    },
}


def status(name):
    return cfn.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"]


def settle(name, expected):
    until(f"{name} is {expected}", lambda: not status(name).endswith("_IN_PROGRESS"))
    got = status(name)
    if got != expected:
        for e in cfn.describe_stack_events(StackName=name)["StackEvents"]:
            print(e["LogicalResourceId"], e["ResourceStatus"], e.get("ResourceStatusReason"))
    same(got, expected, f"status of {name}")


def resources(name):
    return {r["LogicalResourceId"]: r for r in cfn.describe_stack_resources(StackName=name)["StackResources"]}


def outputs(name):
    return {o["OutputKey"]: o["OutputValue"] for o in cfn.describe_stacks(StackName=name)["Stacks"][0].get("Outputs", [])}


def create_update_delete():
    body = json.dumps(BASE)
    fails("InsufficientCapabilitiesException", 400, cfn.create_stack, StackName="one", TemplateBody=body)
    made = cfn.create_stack(StackName="one", TemplateBody=body, Capabilities=["CAPABILITY_IAM"],
                            Tags=[{"Key": "env", "Value": "dev"}])
    assert made["StackId"].startswith(f"arn:aws:cloudformation:us-east-1:{ACCOUNT}:stack/one/"), made
    settle("one", "CREATE_COMPLETE")
    url = outputs("one")["Url"]
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    same(attributes["DelaySeconds"], "5", "the queue's delay")
    same(sqs.list_queue_tags(QueueUrl=url)["Tags"], {"env": "dev", "team": "red"}, "tags")
    have = resources("one")
    same(sorted(have), ["Bucket", "Logs", "Queue", "Role"], "a false condition makes nothing")
    bucket = have["Bucket"]["PhysicalResourceId"]
    same(s3.get_bucket_versioning(Bucket=bucket)["Status"], "Enabled", "versioning")
    assert bucket.startswith("one-bucket-"), bucket
    policy = iam.get_role_policy(RoleName=have["Role"]["PhysicalResourceId"], PolicyName="p")["PolicyDocument"]
    same(policy["Statement"][0]["Resource"], attributes["QueueArn"], "the role's policy names the queue")
    groups = logs.describe_log_groups(logGroupNamePrefix="/app/one")["logGroups"]
    same(groups[0]["retentionInDays"], 7, "retention")
    events = [(e["LogicalResourceId"], e["ResourceStatus"]) for e in
              cfn.describe_stack_events(StackName="one")["StackEvents"]]
    same(events[0], ("one", "CREATE_COMPLETE"), "the last event")
    same(events[-1], ("one", "CREATE_IN_PROGRESS"), "the first event")
    queue_done = events.index(("Queue", "CREATE_COMPLETE"))
    assert events.index(("Role", "CREATE_IN_PROGRESS")) < queue_done, "the role waits for the queue (newest first)"
    ok("a stack is made in the order of its references")

    fails("ValidationError", 400, cfn.update_stack, StackName="one", TemplateBody=body,
          Capabilities=["CAPABILITY_IAM"], Tags=[{"Key": "env", "Value": "dev"}])
    cfn.update_stack(StackName="one", UsePreviousTemplate=True, Capabilities=["CAPABILITY_IAM"],
                     Parameters=[{"ParameterKey": "Delay", "ParameterValue": "60"}])
    settle("one", "UPDATE_COMPLETE")
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["DelaySeconds"])["Attributes"]
    same(attributes["DelaySeconds"], "60", "changed in place")
    assert "Extra" in resources("one")
    ok("an update changes in place and makes what a condition now holds")

    second = {"Resources": {"Q": {"Type": "AWS::SQS::Queue", "Properties": {
        "QueueName": {"Fn::Join": ["-", ["of", {"Fn::Select": [4, {"Fn::Split": ["/", {"Fn::ImportValue": "one-url"}]}]}]]}}}}}
    cfn.create_stack(StackName="two", TemplateBody=json.dumps(second))
    settle("two", "CREATE_COMPLETE")
    e = fails("ValidationError", 400, cfn.delete_stack, StackName="one")
    assert "in use by two" in e["Error"]["Message"], e
    same(cfn.list_imports(ExportName="one-url")["Imports"], ["two"], "imports")
    cfn.delete_stack(StackName="two")
    until("two is gone", lambda: status_of_id("two") == "gone")
    ok("exports hold their stack while they are imported")

    stack_id = made["StackId"]
    cfn.delete_stack(StackName="one")
    until("one is gone", lambda: status_of_id("one") == "gone")
    same(status(stack_id), "DELETE_COMPLETE", "known by its id")
    fails("NoSuchBucket", 404, s3.get_bucket_versioning, Bucket=bucket)
    same(logs.describe_log_groups(logGroupNamePrefix="/app/one")["logGroups"], [], "log groups")
    ok("nothing is left of a deleted stack")


def status_of_id(name):
    try:
        return status(name)
    except cfn.exceptions.ClientError as e:
        assert "does not exist" in str(e), e
        return "gone"


def replacement_and_rollback():
    def template(name, **more):
        return json.dumps({"Resources": {
            "Q": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": name}},
            "P": {"Type": "AWS::SSM::Parameter",
                  "Properties": {"Name": "/t/q", "Type": "String", "Value": {"Fn::GetAtt": ["Q", "QueueName"]}}},
            **more}})

    ssm = client("ssm")
    cfn.create_stack(StackName="r", TemplateBody=template("q-1"))
    settle("r", "CREATE_COMPLETE")
    cfn.update_stack(StackName="r", TemplateBody=template("q-2"))
    settle("r", "UPDATE_COMPLETE")
    urls = sqs.list_queues(QueueNamePrefix="q-").get("QueueUrls", [])
    assert [u.rsplit("/", 1)[1] for u in urls] == ["q-2"], urls
    same(ssm.get_parameter(Name="/t/q")["Parameter"]["Value"], "q-2", "what depends on it follows")
    ok("a replacement is made first, and the old one goes in the clean-up")

    bad = {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "no spaces allowed"}, "DependsOn": "P"}
    cfn.update_stack(StackName="r", TemplateBody=template("q-3", Bad=bad))
    settle("r", "UPDATE_ROLLBACK_COMPLETE")
    urls = sqs.list_queues(QueueNamePrefix="q-").get("QueueUrls", [])
    assert [u.rsplit("/", 1)[1] for u in urls] == ["q-2"], urls
    same(ssm.get_parameter(Name="/t/q")["Parameter"]["Value"], "q-2", "rolled back")
    ok("a failed update goes back to what was there")

    many = {f"Q{i}": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": f"par-{i}"}} for i in range(20)}
    many["Bad"] = {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "no spaces"}}
    cfn.create_stack(StackName="par", TemplateBody=json.dumps({"Resources": many}))
    settle("par", "ROLLBACK_COMPLETE")
    same(sqs.list_queues(QueueNamePrefix="par-").get("QueueUrls", []), [], "nothing is left")
    reasons = [e.get("ResourceStatusReason", "") for e in cfn.describe_stack_events(StackName="par")["StackEvents"]]
    assert any("The following resource(s) failed to create: [Bad]" in r for r in reasons), reasons[:5]
    ok("a create that fails in the middle of parallel work leaves nothing")

    cfn.delete_stack(StackName="par")
    cfn.delete_stack(StackName="r")
    until("r is gone", lambda: status_of_id("r") == "gone")


def change_sets():
    body = json.dumps({"Resources": {"Q": {"Type": "AWS::SQS::Queue"}}})
    cfn.create_change_set(StackName="cs", ChangeSetName="first", ChangeSetType="CREATE", TemplateBody=body)
    same(status("cs"), "REVIEW_IN_PROGRESS", "in review")
    seen = cfn.describe_change_set(StackName="cs", ChangeSetName="first")
    same([(c["ResourceChange"]["Action"], c["ResourceChange"]["LogicalResourceId"]) for c in seen["Changes"]],
         [("Add", "Q")], "changes")
    cfn.execute_change_set(StackName="cs", ChangeSetName="first")
    settle("cs", "CREATE_COMPLETE")
    changed = json.dumps({"Resources": {"Q": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "named"}},
                                        "L": {"Type": "AWS::Logs::LogGroup"}}})
    made = cfn.create_change_set(StackName="cs", ChangeSetName="second", TemplateBody=changed)
    seen = cfn.describe_change_set(ChangeSetName=made["Id"])
    got = {c["ResourceChange"]["LogicalResourceId"]: (c["ResourceChange"]["Action"], c["ResourceChange"].get("Replacement"))
           for c in seen["Changes"]}
    same(got, {"L": ("Add", None), "Q": ("Modify", "True")}, "changes")
    cfn.execute_change_set(ChangeSetName=made["Id"])
    settle("cs", "UPDATE_COMPLETE")
    cfn.create_change_set(StackName="cs", ChangeSetName="same", TemplateBody=changed)
    none = cfn.describe_change_set(StackName="cs", ChangeSetName="same")
    same((none["Status"], none["ExecutionStatus"]), ("FAILED", "UNAVAILABLE"), "no changes")
    cfn.delete_change_set(StackName="cs", ChangeSetName="same")
    fails("ChangeSetNotFound", 404, cfn.describe_change_set, StackName="cs", ChangeSetName="same")
    cfn.delete_stack(StackName="cs")
    ok("change sets say what will happen, and do it")


def bad_templates():
    def refused(template, *words, **kwargs):
        body = template if isinstance(template, str) else json.dumps(template)
        e = fails("ValidationError", 400, cfn.create_stack, StackName="bad", TemplateBody=body, **kwargs)
        for w in words:
            assert w in e["Error"]["Message"], (w, e["Error"]["Message"])

    q = {"Type": "AWS::SQS::Queue"}
    refused({"Resources": {"A": {"Type": "AWS::No::Such"}, "Q": q}},
            "Template format error: Unrecognized resource types: [AWS::No::Such]")
    same(status_of_id("bad"), "gone", "nothing was begun")
    refused({"Resources": {"A": {**q, "DependsOn": "B"}, "B": {**q, "DependsOn": "A"}}},
            "Circular dependency between resources: [A, B]")
    refused({"Resources": {"A": {**q, "Properties": {"QueueName": {"Ref": "Nope"}}}}},
            "Unresolved resource dependencies [Nope] in the Resources block of the template")
    refused({"Resources": {}}, "At least one Resources member must be defined.")
    refused("{", "JSON not well-formed")
    refused("a: [", "YAML not well-formed")
    refused({"Parameters": {"P": {"Type": "String"}}, "Resources": {"Q": q}}, "Parameters: [P] must have values")
    refused({"Resources": {"Q": q}}, "do not exist in the template",
            Parameters=[{"ParameterKey": "X", "ParameterValue": "1"}])
    refused({"Resources": {"Q": q}, "Metadata": {"x": "y" * 52_000}}, "51200")
    cfn.create_stack(StackName="odd", TemplateBody=json.dumps(
        {"Resources": {"Q": {"Type": "AWS::SQS::Queue", "Properties": {"Kolor": "red"}}}}))
    settle("odd", "ROLLBACK_COMPLETE")
    reasons = [e.get("ResourceStatusReason", "") for e in cfn.describe_stack_events(StackName="odd")["StackEvents"]]
    assert any("extraneous key [Kolor] is not permitted" in r for r in reasons), reasons
    cfn.delete_stack(StackName="odd")
    ok("bad templates are refused in CloudFormation's words, before anything is made")

    s3.create_bucket(Bucket="templates-bucket")
    big = {"Metadata": {"pad": "x" * 900_000}, "Resources": {"Q": q}}
    s3.put_object(Bucket="templates-bucket", Key="dir/big one.json", Body=json.dumps(big))
    url = "https://templates-bucket.s3.us-east-1.amazonaws.com/dir/big%20one.json"
    cfn.create_stack(StackName="big", TemplateURL=url)
    settle("big", "CREATE_COMPLETE")
    cfn.delete_stack(StackName="big")
    ok("a template of nearly 1 MB comes from S3 by AWS's own host name")


def principals():
    iam.create_user(UserName="deployer")
    iam.put_user_policy(UserName="deployer", PolicyName="p", PolicyDocument=json.dumps({
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": ["cloudformation:*", "sqs:*"], "Resource": "*"}]}))
    key = iam.create_access_key(UserName="deployer")["AccessKey"]
    his = client("cloudformation", key["AccessKeyId"], key["SecretAccessKey"])
    his.create_stack(StackName="his", TemplateBody=json.dumps({"Resources": {
        "Q": {"Type": "AWS::SQS::Queue"}, "L": {"Type": "AWS::Logs::LogGroup", "DependsOn": "Q"}}}))
    settle("his", "ROLLBACK_COMPLETE")
    reasons = " ".join(e.get("ResourceStatusReason", "") for e in cfn.describe_stack_events(StackName="his")["StackEvents"])
    assert "logs:CreateLogGroup" in reasons and "AccessDenied" in reasons, reasons
    cfn.delete_stack(StackName="his")
    ok("resources are made with the deployer's rights")


create_update_delete()
replacement_and_rollback()
change_sets()
bad_templates()
principals()
