#!/usr/bin/env python3
"""Creates one plain and one PER_TENANT function from the same leaky code and checks what the article says of each."""
import boto3, concurrent.futures as cf, io, json, os, sys, time, zipfile

os.chdir(os.path.dirname(os.path.abspath(__file__)))
iam, lam = boto3.client("iam"), boto3.client("lambda"); bad = 0
def check(name, ok, more=""):
    global bad; bad += not ok; print(("OK   " if ok else "FAIL ") + name, more if not ok else "")
def tryit(name, f):
    try: return f()
    except Exception as e: check(name, False, f"{type(e).__name__}: {str(e)[:200]}")
b = io.BytesIO()
with zipfile.ZipFile(b, "w") as z: z.write("fn/handler.py", "handler.py")
role = iam.create_role(RoleName="tenant-demo", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]}))["Role"]["Arn"]
iam.attach_role_policy(RoleName="tenant-demo", PolicyArn="arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole")
for n, extra in (("tenant-shared", {}), ("tenant-isolated", {"TenancyConfig": {"TenantIsolationMode": "PER_TENANT"}})):
    r = lam.create_function(FunctionName=n, Runtime="python3.13", Handler="handler.handler", Role=role, Code={"ZipFile": b.getvalue()}, Timeout=15, LoggingConfig={"LogFormat": "JSON"}, **extra)
    lam.get_waiter("function_active_v2").wait(FunctionName=n)
    cfg = lam.get_function_configuration(FunctionName=n)
    if extra: check("TenancyConfig comes back", cfg.get("TenancyConfig") == extra["TenancyConfig"], cfg.get("TenancyConfig"))
def call(fn, tenant=None, **ev):
    r = lam.invoke(FunctionName=fn, Payload=json.dumps(ev), **({"TenantId": tenant} if tenant else {}))
    d = json.loads(r["Payload"].read() or "null")
    if r.get("FunctionError"): raise RuntimeError(str(d)[:200])
    return d
# 1. the problem: a plain function leaks from one caller to the next
def shared():
    call("tenant-shared", secret="A-secret"); d = call("tenant-shared")
    check("plain function leaks (the article's problem)", d["found"] == {"memory": "A-secret", "tmp": "A-secret"}, d)
tryit("plain invoke", shared)
# 2. isolation
def isolated():
    a1 = call("tenant-isolated", "tenant-a", secret="A-secret"); b1 = call("tenant-isolated", "tenant-b"); a2 = call("tenant-isolated", "tenant-a")
    check("context.tenant_id", a1["tenant"] == "tenant-a" and b1["tenant"] == "tenant-b", (a1["tenant"], b1["tenant"]))
    check("B sees nothing of A", b1["found"] == {"memory": None, "tmp": None}, b1["found"])
    check("B runs in another environment", a1["env"] != b1["env"])
    check("A is warm again", a2["env"] == a1["env"] and a2["found"]["memory"] == "A-secret", a2)
tryit("isolated invoke", isolated)
# 3. 200 interleaved calls, 8 tenants, 16 at a time: an environment only ever sees one tenant
def storm():
    with cf.ThreadPoolExecutor(16) as ex: res = list(ex.map(lambda i: call("tenant-isolated", f"t-{i % 8}", secret=f"s-{i % 8}", sleep=0.02), range(200)))
    envs = {}
    for r in res: envs.setdefault(r["env"], set()).update(r["seen"])
    check("no environment saw two tenants", all(len(s) == 1 and None not in s for s in envs.values()), {k: sorted(map(str, v)) for k, v in list(envs.items())[:3]})
    check("no foreign secret", all(r["found"]["memory"] in (None, "s-" + (r["tenant"] or "?")[2:]) for r in res))
    print("     environments:", len(envs), "for 8 tenants")
tryit("storm", storm)
# 4. rules
def refused(name, f, *codes):
    try: f(); check(name, False, "accepted")
    except Exception as e:
        c = getattr(e, "response", {}).get("Error", {}).get("Code", type(e).__name__); check(name, c in codes, f"{c}: {str(e)[:160]}")
refused("invoke without TenantId", lambda: call("tenant-isolated"), "InvalidParameterValueException")
refused("TenantId on a plain function", lambda: call("tenant-shared", "x"), "InvalidParameterValueException")
refused("bad TenantId", lambda: call("tenant-isolated", "a#b"), "InvalidParameterValueException", "ValidationException")
refused("no function URL", lambda: lam.create_function_url_config(FunctionName="tenant-isolated", AuthType="NONE"), "InvalidParameterValueException")
v = tryit("publish", lambda: lam.publish_version(FunctionName="tenant-isolated")["Version"])
if v: refused("no provisioned concurrency", lambda: lam.put_provisioned_concurrency_config(FunctionName="tenant-isolated", Qualifier=v, ProvisionedConcurrentExecutions=1), "InvalidParameterValueException")
refused("no SnapStart", lambda: lam.update_function_configuration(FunctionName="tenant-isolated", SnapStart={"ApplyOn": "PublishedVersions"}), "InvalidParameterValueException")
refused("tenancy cannot be changed by create with same name", lambda: lam.create_function(FunctionName="tenant-isolated", Runtime="python3.13", Handler="handler.handler", Role=role, Code={"ZipFile": b.getvalue()}), "ResourceConflictException")
r = tryit("async invoke", lambda: lam.invoke(FunctionName="tenant-isolated", InvocationType="Event", TenantId="tenant-a", Payload=b"{}"))
if r: check("async 202", r["StatusCode"] == 202)
# 5. tenantId in the platform log lines (JSON log format)
def logs():
    l = boto3.client("logs"); time.sleep(1); ev = l.filter_log_events(logGroupName="/aws/lambda/tenant-isolated", filterPattern="platform").get("events", [])
    check("platform log lines carry tenantId", any('"tenantId"' in e["message"] for e in ev), f"{len(ev)} lines")
tryit("logs", logs); sys.exit(1 if bad else 0)
