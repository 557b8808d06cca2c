"""What the scripts for API Gateway share: a backend to integrate with, and signed requests."""

import http.server
import json
import threading
import urllib.parse

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from common import ENDPOINT, http as plain


class Backend(http.server.BaseHTTPRequestHandler):
    """Tells what it was asked, as JSON; its query says how to answer."""
    protocol_version = "HTTP/1.1"
    documents = {}
    seen = []

    def answer(self):
        length = int(self.headers.get("content-length") or 0)
        body = self.rfile.read(length).decode("latin-1")
        path, _, query = self.path.partition("?")
        args = dict(urllib.parse.parse_qsl(query))
        Backend.seen.append((self.command, self.path, dict(self.headers.items()), body))
        if "sleep" in args:
            threading.Event().wait(float(args["sleep"]))
        if path in self.documents:
            out = json.dumps(self.documents[path]).encode()
        else:
            headers = {k.lower(): v for k, v in self.headers.items()}
            out = json.dumps({"method": self.command, "path": path, "query": query,
                              "headers": headers, "body": body}).encode()
        self.send_response(int(args.get("status", 200)))
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(out)))
        self.send_header("X-Backend", "yes")
        self.end_headers()
        if self.command != "HEAD":
            try:
                self.wfile.write(out)
            except OSError:
                pass  # who asked has gone

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = do_HEAD = answer

    def log_message(self, *_):
        pass


def backend():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Backend)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}"


def call(api, path, method="GET", body=None, headers=None, region="us-east-1"):
    """A request to an API by its AWS name, on the cloud's own address."""
    headers = {"Host": f"{api}.execute-api.{region}.amazonaws.com", **(headers or {})}
    status, headers, out = plain(method, ENDPOINT + path, body, headers)
    return status, headers, out


def signed(api, path, key, secret, token=None, method="GET", body=b"", service="execute-api",
           headers=None):
    host = f"{api}.execute-api.us-east-1.amazonaws.com"
    request = AWSRequest(method=method, url=f"https://{host}{path}", data=body,
                         headers={"Host": host, **(headers or {})})
    SigV4Auth(Credentials(key, secret, token), service, "us-east-1").add_auth(request)
    return call(api, path, method, body or None, dict(request.headers.items()))
