"""What is done with Step Functions, the same for every server: five JSONata Pass states, synchronously."""

import json

from sigv4 import send_raw

TARGET = "AWSStepFunctions."
ROLE = "arn:aws:iam::000000000000:role/bench-sfn"
TRUST = ('{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"states.amazonaws.com"},'
         '"Action":"sts:AssumeRole"}]}')


def definition():
    """Five states, each of which computes something from the one before."""
    states = {}
    for i in range(5):
        state = {"Type": "Pass", "Output": {"n": "{% $states.input.n + 1 %}", "s": "{% $uppercase($states.input.s) %}"}}
        states[f"P{i}"] = {**state, **({"Next": f"P{i + 1}"} if i < 4 else {"End": True})}
    return json.dumps({"QueryLanguage": "JSONata", "StartAt": "P0", "States": states})


def call(server, operation, body):
    headers = {"content-type": "application/x-amz-json-1.0", "x-amz-target": TARGET + operation}
    return server.signer.raw("states", "POST", "/", headers=headers, body=json.dumps(body))


def prepare(server):
    """The machine's ARN."""
    form = {"content-type": "application/x-www-form-urlencoded"}
    import urllib.parse
    role = urllib.parse.urlencode({"Action": "CreateRole", "Version": "2010-05-08", "RoleName": "bench-sfn",
                                   "AssumeRolePolicyDocument": TRUST})
    send_raw("127.0.0.1", server.port, server.signer.raw("iam", "POST", "/", headers=form, body=role))
    made = call(server, "CreateStateMachine", {"name": "bench", "type": "EXPRESS", "roleArn": ROLE, "definition": definition()})
    status, _, body, _ = send_raw("127.0.0.1", server.port, made)
    if status != 200:
        raise RuntimeError(f"{server.name}: CreateStateMachine {status} {body[:300]}")
    return json.loads(body)["stateMachineArn"]


def sync(server, arn):
    """Requests that start the machine and wait for it."""
    body = {"stateMachineArn": arn, "input": json.dumps({"n": 1, "s": "abc"})}
    return [call(server, "StartSyncExecution", body) for _ in range(64)]
