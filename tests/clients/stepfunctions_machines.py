"""Step Functions: machines, versions, aliases, activities, tags, validation, TestState, bad input."""

import json

from common import ACCOUNT, client, fails, ok, same

sfn, iam = client("stepfunctions", inject_host_prefix=False), client("iam")
TRUST = json.dumps({"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Principal": {"Service": "states.amazonaws.com"}, "Action": "sts:AssumeRole"}]})
ROLE = iam.create_role(RoleName="sfn-machines", AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]


def one(state, **top):
    return json.dumps({"StartAt": "A", "States": {"A": state}, **top})


PASS = one({"Type": "Pass", "End": True})

# A machine's life.
made = sfn.create_state_machine(name="m", definition=PASS, roleArn=ROLE, tags=[{"key": "a", "value": "b"}])
ARN = made["stateMachineArn"]
same(ARN, f"arn:aws:states:us-east-1:{ACCOUNT}:stateMachine:m", "arn")
same(sfn.create_state_machine(name="m", definition=PASS, roleArn=ROLE)["stateMachineArn"], ARN, "again")
fails("StateMachineAlreadyExists", 400, sfn.create_state_machine, name="m", definition=PASS, roleArn=ROLE, type="EXPRESS")
d = sfn.describe_state_machine(stateMachineArn=ARN)
same((d["status"], d["type"], d["definition"], d["loggingConfiguration"]["level"]), ("ACTIVE", "STANDARD", PASS, "OFF"), "described")
same(sfn.list_tags_for_resource(resourceArn=ARN)["tags"], [{"key": "a", "value": "b"}], "tags")
sfn.untag_resource(resourceArn=ARN, tagKeys=["a"])
sfn.tag_resource(resourceArn=ARN, tags=[{"key": "c", "value": "d"}])
same(sfn.list_tags_for_resource(resourceArn=ARN)["tags"], [{"key": "c", "value": "d"}], "tags")
u = sfn.update_state_machine(stateMachineArn=ARN, definition=one({"Type": "Succeed"}), publish=True, versionDescription="one")
same(u["stateMachineVersionArn"], ARN + ":1", "version")
fails("ConflictException", 400, sfn.publish_state_machine_version, stateMachineArn=ARN, revisionId="INITIAL")
same(sfn.publish_state_machine_version(stateMachineArn=ARN, revisionId=u["revisionId"])["stateMachineVersionArn"], ARN + ":1", "nothing new")
sfn.update_state_machine(stateMachineArn=ARN, definition=PASS, publish=True)
same([v["stateMachineVersionArn"] for v in sfn.list_state_machine_versions(stateMachineArn=ARN)["stateMachineVersions"]],
     [ARN + ":2", ARN + ":1"], "versions")
routes = [{"stateMachineVersionArn": ARN + ":1", "weight": 30}, {"stateMachineVersionArn": ARN + ":2", "weight": 70}]
alias = sfn.create_state_machine_alias(name="live", routingConfiguration=routes)["stateMachineAliasArn"]
same(sfn.describe_state_machine_alias(stateMachineAliasArn=alias)["routingConfiguration"], routes, "routes")
fails("ConflictException", 400, sfn.delete_state_machine_version, stateMachineVersionArn=ARN + ":1")
fails("ValidationException", 400, sfn.update_state_machine_alias, stateMachineAliasArn=alias,
      routingConfiguration=[{"stateMachineVersionArn": ARN + ":1", "weight": 99}])
x = sfn.start_execution(stateMachineArn=alias)["executionArn"]
e = sfn.describe_execution(executionArn=x)
same(e["stateMachineAliasArn"], alias, "alias of the execution")
assert e["stateMachineVersionArn"] in (ARN + ":1", ARN + ":2")
sfn.delete_state_machine_alias(stateMachineAliasArn=alias)
sfn.delete_state_machine_version(stateMachineVersionArn=ARN + ":1")
ok("machines, versions and aliases")

for i in range(5):
    sfn.create_state_machine(name=f"page-{i}", definition=PASS, roleArn=ROLE)
pages = list(sfn.get_paginator("list_state_machines").paginate(PaginationConfig={"PageSize": 2}))
same(sorted(m["name"] for p in pages for m in p["stateMachines"]), ["m"] + [f"page-{i}" for i in range(5)], "pages")
fails("InvalidToken", 400, sfn.list_state_machines, nextToken="nonsense!")
ok("pages")

# Bad input.
for definition, code in [
    ("not json", "INVALID_JSON_DESCRIPTION"),
    ("{}", "SCHEMA_VALIDATION_FAILED"),
    (one({"Type": "Pass", "Next": "B"}), "MISSING_TRANSITION_TARGET"),
    (one({"Type": "Nope", "End": True}), "SCHEMA_VALIDATION_FAILED"),
    (one({"Type": "Task", "Resource": "arn:aws:states:::x", "End": True}), "SCHEMA_VALIDATION_FAILED"),
    (one({"Type": "Pass", "QueryLanguage": "JSONata", "Output": "{% 1 + %}", "End": True}), "SCHEMA_VALIDATION_FAILED"),
    ("[" * 100000, "INVALID_JSON_DESCRIPTION"),
    ('{"StartAt":"A","States":{"A":{"Type":"Pass","End":true,"End":true}}}', "INVALID_JSON_DESCRIPTION"),
]:
    error = fails("InvalidDefinition", 400, sfn.create_state_machine, name="bad", definition=definition, roleArn=ROLE)
    assert code in error["Error"]["Message"], error["Error"]
    v = sfn.validate_state_machine_definition(definition=definition)
    same((v["result"], v["diagnostics"][0]["code"]), ("FAIL", code), "validated")
same(sfn.validate_state_machine_definition(definition=PASS)["result"], "OK", "valid")
fails("InvalidName", 400, sfn.create_state_machine, name="a b", definition=PASS, roleArn=ROLE)
fails("InvalidArn", 400, sfn.create_state_machine, name="b", definition=PASS, roleArn="role")
fails("InvalidLoggingConfiguration", 400, sfn.create_state_machine, name="b", definition=PASS, roleArn=ROLE,
      loggingConfiguration={"level": "ALL"})
fails("ValidationException", 400, sfn.create_state_machine, name="b", definition=PASS, roleArn=ROLE, versionDescription="x")
fails("MissingRequiredParameter", 400, sfn.update_state_machine, stateMachineArn=ARN)
fails("StateMachineDoesNotExist", 400, sfn.describe_state_machine, stateMachineArn=ARN + "x")
fails("InvalidArn", 400, sfn.describe_state_machine, stateMachineArn="arn:aws:states:us-east-1:1:x")
fails("InvalidExecutionInput", 400, sfn.start_execution, stateMachineArn=ARN, input="{")
fails("InvalidName", 400, sfn.start_execution, stateMachineArn=ARN, name="a/b")
fails("ExecutionDoesNotExist", 400, sfn.describe_execution, executionArn=ARN.replace("stateMachine", "execution") + ":x")
fails("NotImplemented", 400, sfn.create_state_machine, name="kms", definition=PASS, roleArn=ROLE,
      encryptionConfiguration={"type": "CUSTOMER_MANAGED_KMS_KEY", "kmsKeyId": "alias/x"})
ok("bad input is refused in AWS's words")

# Least privilege.
user = iam.create_user(UserName="sfn-user")["User"]
key = iam.create_access_key(UserName="sfn-user")["AccessKey"]
mine = client("stepfunctions", key["AccessKeyId"], key["SecretAccessKey"], inject_host_prefix=False)
fails("AccessDeniedException", 400, mine.list_state_machines)
iam.put_user_policy(UserName="sfn-user", PolicyName="p", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Action": ["states:StartExecution", "states:CreateStateMachine"],
     "Resource": [ARN, f"arn:aws:states:us-east-1:{ACCOUNT}:stateMachine:own"]}]}))
mine.start_execution(stateMachineArn=ARN)
fails("AccessDeniedException", 400, mine.start_execution, stateMachineArn=ARN.replace(":m", ":page-1"))
fails("AccessDeniedException", 400, mine.create_state_machine, name="own", definition=PASS, roleArn=ROLE)
iam.put_user_policy(UserName="sfn-user", PolicyName="q", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Action": "iam:PassRole", "Resource": ROLE,
     "Condition": {"StringEquals": {"iam:PassedToService": "states.amazonaws.com"}}}]}))
mine.create_state_machine(name="own", definition=PASS, roleArn=ROLE)
ok("policies decide, iam:PassRole too")

# TestState.
t = sfn.test_state(definition=json.dumps({"Type": "Pass", "Parameters": {"x.$": "$.a"}, "Next": "B"}),
                   input='{"a": 1}', inspectionLevel="DEBUG")
same((t["status"], json.loads(t["output"]), t["nextState"], json.loads(t["inspectionData"]["afterParameters"])),
     ("SUCCEEDED", {"x": 1}, "B", {"x": 1}), "tested")
task = {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Parameters": {"FunctionName": "f"}, "End": True,
        "Retry": [{"ErrorEquals": ["E"], "MaxAttempts": 1, "IntervalSeconds": 7}], "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "C"}]}
t = sfn.test_state(definition=json.dumps(task), mock={"errorOutput": {"error": "E", "cause": "c"}}, inspectionLevel="DEBUG")
same((t["status"], t["inspectionData"]["errorDetails"]["retryBackoffIntervalSeconds"]), ("RETRIABLE", 7), "retriable")
t = sfn.test_state(definition=json.dumps(task), mock={"errorOutput": {"error": "F"}})
same((t["status"], t["nextState"]), ("CAUGHT_ERROR", "C"), "caught")
fails("ValidationException", 400, sfn.test_state, definition=json.dumps(task), mock={"result": '{"StatusCode": "200"}'})
fails("ValidationException", 400, sfn.test_state, definition=json.dumps(task))
ok("TestState")

sfn.delete_state_machine(stateMachineArn=ARN)
sfn.delete_state_machine(stateMachineArn=ARN)
fails("StateMachineDoesNotExist", 400, sfn.start_execution, stateMachineArn=ARN)
same(sfn.describe_execution(executionArn=x)["status"], "SUCCEEDED", "executions outlive their machine")
ok("deleted")
