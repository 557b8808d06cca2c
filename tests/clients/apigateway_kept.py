"""APIs that are made in one life of the cloud and served in the next: run as `write`, then `read`."""

import json
import sys

from apigateway_common import call
from common import client, ok, same

gw, gw2 = client("apigateway"), client("apigatewayv2")
phase = sys.argv[1] if len(sys.argv) > 1 else "both"

if phase != "read":
    api = gw.create_rest_api(name="kept")
    at = dict(restApiId=api["id"], resourceId=api["rootResourceId"], httpMethod="GET")
    gw.put_method(authorizationType="NONE", apiKeyRequired=True, **at)
    gw.put_integration(type="MOCK", requestTemplates={"application/json": '{"statusCode": 200}'}, **at)
    gw.put_method_response(statusCode="200", **at)
    gw.put_integration_response(statusCode="200", responseTemplates={"application/json": '{"v": "$stageVariables.v"}'}, **at)
    gw.create_deployment(restApiId=api["id"], stageName="prod", variables={"v": "kept"})
    plan = gw.create_usage_plan(name="kept", apiStages=[{"apiId": api["id"], "stage": "prod"}],
                                quota={"limit": 3, "period": "MONTH"})["id"]
    key = gw.create_api_key(name="kept", enabled=True, value="a-key-that-is-kept-000")
    gw.create_usage_plan_key(usagePlanId=plan, keyId=key["id"], keyType="API_KEY")
    same(call(api["id"], "/prod", headers={"x-api-key": key["value"]})[0], 200, "served")
    http = gw2.create_api(Name="kept", ProtocolType="HTTP", Target="http://127.0.0.1:9/")
    ok("written")

if phase != "write":
    api = next(a for a in gw.get_rest_apis()["items"] if a["name"] == "kept")["id"]
    key = {"x-api-key": "a-key-that-is-kept-000"}
    got = call(api, "/prod", headers=key)
    # One was counted when it was written; the third life finds the quota used up.
    assert got[0] == 429 or json.loads(got[2]) == {"v": "kept"}, got
    same([call(api, "/prod", headers=key)[0] for _ in range(2)][1], 429, "the quota goes on")
    same(call(api, "/prod")[0], 403, "the key is asked for")
    http = next(a for a in gw2.get_apis()["Items"] if a["Name"] == "kept")["ApiId"]
    same(call(http, "/x")[0], 500, "its backend is not there")
    same(gw2.get_stage(ApiId=http, StageName="$default")["AutoDeploy"], True, "stage")
    ok("read")
