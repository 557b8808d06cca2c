#!/usr/bin/env python3
"""API Gateway (REST) as trigger: integration.request.header.X-Amz-Tenant-Id <- method.request.header.x-tenant-id."""
import boto3, json, os, sys, urllib.request
api, lam = boto3.client("apigateway"), boto3.client("lambda"); fn = lam.get_function(FunctionName="tenant-isolated")["Configuration"]["FunctionArn"]
rid = api.create_rest_api(name="tenants")["id"]; root = api.get_resources(restApiId=rid)["items"][0]["id"]
res = api.create_resource(restApiId=rid, parentId=root, pathPart="who")["id"]
api.put_method(restApiId=rid, resourceId=res, httpMethod="GET", authorizationType="NONE", requestParameters={"method.request.header.x-tenant-id": True})
region = fn.split(":")[3]
api.put_integration(restApiId=rid, resourceId=res, httpMethod="GET", type="AWS_PROXY", integrationHttpMethod="POST", uri=f"arn:aws:apigateway:{region}:lambda:path/2015-03-31/functions/{fn}/invocations", requestParameters={"integration.request.header.X-Amz-Tenant-Id": "method.request.header.x-tenant-id"})
lam.add_permission(FunctionName="tenant-isolated", StatementId="apigw", Action="lambda:InvokeFunction", Principal="apigateway.amazonaws.com", SourceArn=f"arn:aws:execute-api:{region}:{fn.split(':')[4]}:{rid}/*/*")
api.create_deployment(restApiId=rid, stageName="prod"); out = []
for t in ("tenant-a", "tenant-b"):
    q = urllib.request.Request(f"{os.environ['AWS_ENDPOINT_URL']}/prod/who", headers={"Host": f"{rid}.execute-api.{region}.amazonaws.com", "x-tenant-id": t})
    try: out.append(urllib.request.urlopen(q, timeout=20).read().decode())
    except Exception as e: out.append(f"{e} {getattr(e, 'read', lambda: b'')()[:150]}")
print(out); ok = all(t in o for t, o in zip(("tenant-a", "tenant-b"), out))
print("OK   api gateway" if ok else "FAIL api gateway"); sys.exit(0 if ok else 1)
