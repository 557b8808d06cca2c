"""Reads our replies (stdin, JSON) with botocore's parsers and compares with the cases' results.

Writes one verdict per reply (stdout, JSON): null, or what is wrong. Exits 77 when botocore's own
dependencies are missing.
"""

import base64
import json
import math
import os
import sys

try:
    import botocore
    from botocore.awsrequest import HeadersDict
    from botocore.model import NoShapeFoundError, OperationModel, ServiceModel
    from botocore.parsers import create_parser
    from botocore.utils import parse_timestamp
except ImportError:
    sys.exit(77)

CASES = os.path.join(os.path.dirname(os.path.dirname(botocore.__file__)), "tests/unit/protocols")


def epoch(value):
    return parse_timestamp(value).timestamp()


def plain(value):
    """Bytes as text and special floats as names, as the case files have them."""
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if isinstance(value, (bytes, bytearray)):
        return bytes(value).decode()
    if hasattr(value, "read"):
        return value.read().decode()
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value


def check(reply):
    with open(os.path.join(CASES, reply["file"])) as f:
        suite = json.load(f)[reply["suite"]]
    case = suite["cases"][reply["case"]]
    name = case["given"]["name"]
    suite["operations"] = {name: case}
    model = ServiceModel(suite)
    operation = OperationModel(case["given"], model)
    protocol = model.metadata["protocol"]
    parser = create_parser(protocol)
    parser._timestamp_parser = epoch
    response = {
        "status_code": reply["status_code"],
        "headers": HeadersDict(reply["headers"]),
        "body": base64.b64decode(reply["body"]),
        "context": {"operation_name": name},
    }
    output = operation.output_shape
    if "error" in case:
        parsed = parser.parse(response, output)
        try:
            shape = model.shape_for_error_code(parsed.get("Error", {}).get("Code"))
            parsed.update(parser.parse(response, shape))
        except NoShapeFoundError:
            pass
        error = parsed.get("Error", {})
        parsed["Error"] = {k: error.get(k) or "" for k in ("Code", "Message")}
        wanted = {"Error": {"Code": case.get("errorCode", ""), "Message": case.get("errorMessage", "")}}
        wanted.update(case["error"])
    else:
        if protocol == "query" and output and output.members:
            output.serialization["resultWrapper"] = name + "Result"
        parsed = parser.parse(response, output)
        wanted = case["result"]
    parsed.pop("ResponseMetadata", None)
    parsed = plain(parsed)
    if parsed != wanted:
        return f"botocore reads {json.dumps(parsed)}\n    want {json.dumps(wanted)}\n    from {response['body']!r} {dict(response['headers'])}"
    return None


def verdict(reply):
    try:
        return check(reply)
    except Exception as e:
        return f"botocore cannot read it: {type(e).__name__}: {e}\n    from {base64.b64decode(reply['body'])!r}"


json.dump([verdict(r) for r in json.load(sys.stdin)], sys.stdout)
