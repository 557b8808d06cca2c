"""Step Functions: executions of both kinds, their histories, retries, callbacks, maps, Express."""

import json
import threading
import time

from common import ACCOUNT, client, fails, ok, same

sfn, iam, sqs = client("stepfunctions", inject_host_prefix=False, read_timeout=90), client("iam"), client("sqs")
ddb, s3 = client("dynamodb"), client("s3")
TRUST = json.dumps({"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Principal": {"Service": "states.amazonaws.com"}, "Action": "sts:AssumeRole"}]})
ROLE = iam.create_role(RoleName="sfn-exec", AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
BARE = iam.create_role(RoleName="sfn-bare", AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
iam.put_role_policy(RoleName="sfn-exec", PolicyName="p", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Action": ["sqs:*", "dynamodb:*", "s3:*", "states:*"], "Resource": "*"}]}))
count = 0


def machine(states, start="A", role=ROLE, **kw):
    global count
    count += 1
    kind = kw.pop("type", "STANDARD")
    definition = json.dumps({"StartAt": start, "States": states, **kw})
    return sfn.create_state_machine(name=f"x{count}", definition=definition, roleArn=role, type=kind)["stateMachineArn"]


def wait(arn, *status):
    for _ in range(300):
        d = sfn.describe_execution(executionArn=arn)
        if d["status"] in status or (not status and d["status"] != "RUNNING"):
            return d
        time.sleep(0.05)
    raise AssertionError(f"{arn} is {d['status']}")


def run(states, input=None, **kw):
    arn = sfn.start_execution(stateMachineArn=machine(states, **kw), input=json.dumps(input or {}))["executionArn"]
    return wait(arn)


def types(arn, **kw):
    return [e["type"] for e in sfn.get_execution_history(executionArn=arn, **kw)["events"]]


# Names, histories, stopping.
m = machine({"A": {"Type": "Wait", "Seconds": 300, "End": True}})
x = sfn.start_execution(stateMachineArn=m, name="n", input='{"a":1}')["executionArn"]
same(sfn.start_execution(stateMachineArn=m, name="n", input='{"a":1}')["executionArn"], x, "the same again")
fails("ExecutionAlreadyExists", 400, sfn.start_execution, stateMachineArn=m, name="n", input='{"a":2}')
same([e["name"] for e in sfn.list_executions(stateMachineArn=m, statusFilter="RUNNING")["executions"]], ["n"], "running")
sfn.stop_execution(executionArn=x, error="E", cause="C")
d = sfn.describe_execution(executionArn=x)
same((d["status"], d["error"], d["cause"]), ("ABORTED", "E", "C"), "stopped")
same(types(x), ["ExecutionStarted", "WaitStateEntered", "ExecutionAborted"], "history")
same(types(x, reverseOrder=True)[0], "ExecutionAborted", "reversed")
first = sfn.get_execution_history(executionArn=x, maxResults=2)
same(types(x, nextToken=first["nextToken"]), ["ExecutionAborted"], "second page")
same(sfn.list_executions(stateMachineArn=m, statusFilter="RUNNING")["executions"], [], "none running")
same([e["status"] for e in sfn.list_executions(stateMachineArn=m)["executions"]], ["ABORTED"], "listed")
ok("names, histories, stopping")

# Tasks in the machine's role.
q = sqs.create_queue(QueueName="sfn")["QueueUrl"]
ddb.create_table(TableName="sfn", KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
                 AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}], BillingMode="PAY_PER_REQUEST")
d = run({
    "A": {"Type": "Task", "Resource": "arn:aws:states:::dynamodb:putItem", "ResultPath": None, "Next": "B",
          "Parameters": {"TableName": "sfn", "Item": {"k": {"S.$": "$.id"}, "n": {"N": "7"}}}},
    "B": {"Type": "Task", "Resource": "arn:aws:states:::aws-sdk:dynamodb:getItem", "ResultSelector": {"n.$": "$.Item.n.N"},
          "Parameters": {"TableName": "sfn", "Key": {"k": {"S.$": "$.id"}}}, "Next": "C"},
    "C": {"Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage", "ResultPath": None, "End": True,
          "Parameters": {"QueueUrl": q, "MessageBody": {"got.$": "$.n"}}},
}, {"id": "one"})
same((d["status"], d.get("output")), ("SUCCEEDED", '{"n":"7"}'), f"tasks {d.get('cause')}")
same(json.loads(sqs.receive_message(QueueUrl=q, WaitTimeSeconds=5)["Messages"][0]["Body"]), {"got": "7"}, "sent")
condition = {"A": {"Type": "Task", "Resource": "arn:aws:states:::dynamodb:putItem", "End": True, "Parameters": {
    "TableName": "sfn", "Item": {"k": {"S": "one"}}, "ConditionExpression": "attribute_not_exists(k)"},
    "Catch": [{"ErrorEquals": ["DynamoDB.ConditionalCheckFailedException"], "Next": "B"}]}, "B": {"Type": "Pass", "Result": "caught", "End": True}}
same(run(condition)["output"], '"caught"', "errors have AWS's names")
d = run(condition, role=BARE)
same(d["status"], "FAILED", "a role without policies may nothing")
assert "not authorized" in d["cause"], d["cause"]
ok("tasks run in the machine's role, errors are named as on AWS")

# Retry with backoff, Catch, Parallel, Map, variables, JSONata.
d = run({"A": {"Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage", "End": True,
               "Parameters": {"QueueUrl": q + "-none", "MessageBody": "x"},
               "Retry": [{"ErrorEquals": ["States.ALL"], "MaxAttempts": 2, "IntervalSeconds": 1, "JitterStrategy": "FULL"}]}})
same(types(d["executionArn"]).count("TaskFailed"), 3, "tries")
same(d["redriveStatus"], "REDRIVABLE", "redrivable")
sqs.create_queue(QueueName="sfn-none")
sfn.redrive_execution(executionArn=d["executionArn"])
d = wait(d["executionArn"], "SUCCEEDED")
same((d["redriveCount"], types(d["executionArn"])[-1]), (1, "ExecutionSucceeded"), "redriven")
fails("ExecutionNotRedrivable", 400, sfn.redrive_execution, executionArn=d["executionArn"])
order = {"items": [{"price": 2, "n": 3}, {"price": 5, "n": 1}]}
d = run({
    "A": {"Type": "Map", "Items": "{% $states.input.items %}", "MaxConcurrency": 1, "Assign": {"total": "{% $sum($states.result) %}"},
          "ItemProcessor": {"StartAt": "I", "States": {"I": {"Type": "Pass", "Output": "{% $states.input.price * $states.input.n %}", "End": True}}},
          "Next": "B"},
    "B": {"Type": "Parallel", "Branches": [
        {"StartAt": "P", "States": {"P": {"Type": "Pass", "Output": "{% $total %}", "End": True}}},
        {"StartAt": "Q", "States": {"Q": {"Type": "Fail", "Error": "Oops"}}}],
        "Catch": [{"ErrorEquals": ["Oops"], "Output": "{% {'e': $states.errorOutput.Error, 't': $total} %}", "Next": "C"}], "Next": "C"},
    "C": {"Type": "Choice", "Choices": [{"Condition": "{% $states.input.t = 11 %}", "Next": "D"}], "Default": "E"},
    "D": {"Type": "Succeed"}, "E": {"Type": "Fail"}}, order, QueryLanguage="JSONata")
same((d["status"], json.loads(d["output"])), ("SUCCEEDED", {"e": "Oops", "t": 11}), "JSONata")
ok("retries, redrive, maps, parallels, JSONata")

# Callbacks and activities.
m = machine({"A": {"Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken", "End": True,
                   "Parameters": {"QueueUrl": q, "MessageBody": {"token.$": "$$.Task.Token"}}}})
x = sfn.start_execution(stateMachineArn=m)["executionArn"]
token = json.loads(sqs.receive_message(QueueUrl=q, WaitTimeSeconds=10)["Messages"][0]["Body"]).get("token")
if token is None:
    token = json.loads(sqs.receive_message(QueueUrl=q, WaitTimeSeconds=10)["Messages"][0]["Body"])["token"]
sfn.send_task_heartbeat(taskToken=token)
fails("InvalidOutput", 400, sfn.send_task_success, taskToken=token, output="{")
fails("InvalidToken", 400, sfn.send_task_success, taskToken="nope", output="{}")
sfn.send_task_success(taskToken=token, output='{"done": true}')
same(json.loads(wait(x)["output"]), {"done": True}, "called back")
fails("TaskTimedOut", 400, sfn.send_task_success, taskToken=token, output="{}")
a = sfn.create_activity(name="act")["activityArn"]
x = sfn.start_execution(stateMachineArn=machine({"A": {"Type": "Task", "Resource": a, "TimeoutSeconds": 60, "HeartbeatSeconds": 30, "End": True}}), input='{"w": 1}')["executionArn"]
got = sfn.get_activity_task(activityArn=a, workerName="w")
same(json.loads(got["input"]), {"w": 1}, "work")
sfn.send_task_failure(taskToken=got["taskToken"], error="Tired", cause="late")
same(wait(x)["error"], "Tired", "failed by its worker")
later = []
t = threading.Thread(target=lambda: later.append(sfn.get_activity_task(activityArn=a)))
t.start()
x = sfn.start_execution(stateMachineArn=machine({"A": {"Type": "Task", "Resource": a, "End": True}}))["executionArn"]
t.join(20)
sfn.send_task_success(taskToken=later[0]["taskToken"], output="1")
same(wait(x)["output"], "1", "a waiting worker is woken")
ok("callbacks and activities")

# Executions that wait for executions; timeouts.
child = machine({"A": {"Type": "Pass", "Result": {"c": 1}, "End": True}})
d = run({"A": {"Type": "Task", "Resource": "arn:aws:states:::states:startExecution.sync:2", "Parameters": {"StateMachineArn": child, "Input": {"x": 1}},
               "OutputPath": "$.Output", "End": True}})
same((d["status"], d.get("output")), ("SUCCEEDED", '{"c":1}'), f"child {d.get('cause')}")
d = run({"A": {"Type": "Wait", "Seconds": 100, "End": True}}, TimeoutSeconds=1)
same(d["status"], "TIMED_OUT", "its own time is up")
ok("children and timeouts")

# A distributed Map over an object in S3.
s3.create_bucket(Bucket="sfn-data")
s3.put_object(Bucket="sfn-data", Key="rows.csv", Body=b"id,v\n1,a\n2,b\n3,c\n")
d = run({"A": {"Type": "Map", "Label": "Rows", "MaxConcurrency": 2, "ToleratedFailureCount": 1,
               "ItemReader": {"Resource": "arn:aws:states:::s3:getObject", "ReaderConfig": {"InputType": "CSV", "CSVHeaderLocation": "FIRST_ROW"},
                              "Parameters": {"Bucket": "sfn-data", "Key": "rows.csv"}},
               "ItemProcessor": {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}, "StartAt": "C", "States": {
                   "C": {"Type": "Choice", "Choices": [{"Variable": "$.id", "StringEquals": "2", "Next": "F"}], "Default": "P"},
                   "F": {"Type": "Fail", "Error": "Two"}, "P": {"Type": "Pass", "Parameters": {"v.$": "$.v"}, "End": True}}},
               "End": True}})
same((d["status"], json.loads(d.get("output", "null"))), ("SUCCEEDED", [{"v": "a"}, {"v": "c"}]), f"map {d.get('cause')}")
runs = sfn.list_map_runs(executionArn=d["executionArn"])["mapRuns"]
r = sfn.describe_map_run(mapRunArn=runs[0]["mapRunArn"])
for _ in range(100):
    if r["status"] != "RUNNING":
        break
    time.sleep(0.05)
    r = sfn.describe_map_run(mapRunArn=runs[0]["mapRunArn"])
same((r["status"], r["itemCounts"]["succeeded"], r["itemCounts"]["failed"], r["itemCounts"]["total"]), ("SUCCEEDED", 2, 1, 3), "counts")
same(sorted(e["status"] for e in sfn.list_executions(mapRunArn=runs[0]["mapRunArn"])["executions"]), ["FAILED", "SUCCEEDED", "SUCCEEDED"], "children")
ok("distributed maps")

# Express.
e = machine({"A": {"Type": "Pass", "Output": "{% {'twice': $states.input.n * 2} %}", "End": True}}, type="EXPRESS", QueryLanguage="JSONata")
r = sfn.start_sync_execution(stateMachineArn=e, input='{"n": 21}', name="sync")
same((r["status"], r["output"], r["billingDetails"]["billedMemoryUsedInMB"]), ("SUCCEEDED", '{"twice":42}', 64), "sync")
assert ":express:" in r["executionArn"] and r["billingDetails"]["billedDurationInMilliseconds"] >= 100
r = sfn.start_sync_execution(stateMachineArn=e, input='{"n": "x"}')
same((r["status"], r["error"]), ("FAILED", "States.QueryEvaluationError"), "sync failure")
fails("StateMachineTypeNotSupported", 400, sfn.start_sync_execution, stateMachineArn=m)
fails("StateMachineTypeNotSupported", 400, sfn.list_executions, stateMachineArn=e)
sender = machine({"A": {"Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage", "Parameters": {"QueueUrl": q, "MessageBody": "express"}, "End": True}}, type="EXPRESS")
sfn.start_execution(stateMachineArn=sender)
same(sqs.receive_message(QueueUrl=q, WaitTimeSeconds=10)["Messages"][0]["Body"], "express", "started without waiting")
ok("Express")

# Logs, by level and with data.
logs = client("logs")
logs.create_log_group(logGroupName="/sfn")
iam.put_role_policy(RoleName="sfn-exec", PolicyName="logs", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Action": "logs:PutResourcePolicy", "Resource": "*"}]}))
GROUP = f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:/sfn:*"


def logged(name, level, data, role=ROLE):
    m = sfn.create_state_machine(
        name=name, type="EXPRESS", roleArn=role, definition=json.dumps({"StartAt": "A", "States": {"A": {"Type": "Fail", "Error": "E"}}}),
        loggingConfiguration={"level": level, "includeExecutionData": data,
                              "destinations": [{"cloudWatchLogsLogGroup": {"logGroupArn": GROUP}}]})["stateMachineArn"]
    sfn.start_sync_execution(stateMachineArn=m, input='{"secret": 1}')
    events = logs.filter_log_events(logGroupName="/sfn", logStreamNamePrefix=f"states/{name}/")["events"]
    return [json.loads(e["message"]) for e in events]


same(logged("denied", "ALL", True, role=BARE), [], "a role that may not open the log")
same([e["type"] for e in logged("all", "ALL", True)], ["ExecutionStarted", "FailStateEntered", "ExecutionFailed"], "all events")
same(logged("data", "ALL", True)[0]["details"]["input"], '{"secret": 1}', "with data")
assert "input" not in logged("nodata", "ALL", False)[0]["details"]
same([e["type"] for e in logged("fatal", "FATAL", False)], ["ExecutionFailed"], "the fatal ones")
ok("execution logs")

# What loops or explodes ends, and the cloud goes on.
for source in ("($f := function($x){$f($x + 1)}; $f(0))", "$map([1..9000000], function($x){$x})", "$pad('x', 300000)"):
    r = sfn.start_sync_execution(stateMachineArn=machine(
        {"A": {"Type": "Pass", "Output": "{% " + source + " %}", "End": True}}, type="EXPRESS", QueryLanguage="JSONata"))
    assert r["status"] == "FAILED", (source, r["status"])
d = run({"A": {"Type": "Pass", "Next": "B"}, "B": {"Type": "Choice", "Choices": [{"Variable": "$.no", "IsPresent": True, "Next": "C"}], "Default": "A"},
         "C": {"Type": "Succeed"}})
same((d["status"], d["error"]), ("FAILED", "States.Runtime"), "25,000 events")
fails("ValidationException", 400, sfn.start_execution, stateMachineArn=m, input=json.dumps("x" * 262144))
ok("loops, explosions and quotas")
