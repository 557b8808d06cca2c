"""The Python runtime of fogbank's Lambda environments: asks for events and calls the handler.

It behaves as AWS's does, error reports and log records included. It imports little, since all of it
is on the way to a function's first answer: neither http.client nor urllib, but a socket; `logging`
is set up when the function imports it.
"""

import _socket
import builtins
import importlib
import json
import os
import sys
import time

import _sitebuiltins

# The runtime runs with -S, so that the machine's packages stay out; these come from `site`.
builtins.exit = _sitebuiltins.Quitter("exit", "Ctrl-D (i.e. EOF)")
builtins.quit = _sitebuiltins.Quitter("quit", "Ctrl-D (i.e. EOF)")
builtins.help = _sitebuiltins._Helper()

NBSP = "\u00a0"
ENV = os.environ
JSON_LOGS = ENV.get("AWS_LAMBDA_LOG_FORMAT") == "JSON"


class Api:
    """One connection to the Runtime API, kept open."""

    def __init__(self, address):
        host, _, port = address.partition(":")
        self.address = (host, int(port))
        self.host = address
        self.socket = None
        self.buffer = b""

    def call(self, method, path, body=b"", headers=""):
        head = "%s /2018-06-01/runtime/%s HTTP/1.1\r\nHost: %s\r\n%sContent-Length: %d\r\n\r\n" % (
            method, path, self.host, headers, len(body))
        request = head.encode("latin-1") + body
        # Between invocations everything is frozen; a connection may not have lived through it.
        for attempt in (0, 1):
            try:
                if self.socket is None:
                    self.socket = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM)
                    self.socket.connect(self.address)
                    self.socket.setsockopt(_socket.IPPROTO_TCP, _socket.TCP_NODELAY, 1)
                    self.buffer = b""
                self.socket.sendall(request)
                return self.answer()
            except OSError:
                self.socket = None
                if attempt:
                    raise

    def more(self):
        data = self.socket.recv(65536)
        if not data:
            raise ConnectionError("the Runtime API has closed the connection")
        return data

    def answer(self):
        buffer = self.buffer
        end = buffer.find(b"\r\n\r\n")
        while end < 0:
            buffer += self.more()
            end = buffer.find(b"\r\n\r\n")
        lines = buffer[:end].decode("latin-1").split("\r\n")
        status = int(lines[0].split(" ", 2)[1])
        headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        length = int(headers.get("content-length", 0))
        parts = [buffer[end + 4:]]
        have = len(parts[0])
        while have < length:
            parts.append(self.more())
            have += len(parts[-1])
        data = parts[0] if len(parts) == 1 else b"".join(parts)
        self.buffer = data[length:]
        return status, headers, data[:length]


class Sink:
    """Where log records go: framed, so that one of many lines is one event, else plain."""

    def __init__(self, fd):
        try:
            self.fd = int(fd) if fd else None
        except ValueError:
            self.fd = None
        ENV.pop("_LAMBDA_TELEMETRY_LOG_FD", None)

    def write(self, text):
        if self.fd is None:
            sys.stdout.write(text)
            return
        data = text.encode("utf-8", "backslashreplace")
        head = b"\xa5\x5a\x00\x03" + len(data).to_bytes(4, "big")
        data = head + (time.time_ns() // 1000).to_bytes(8, "big") + data
        while data:
            data = data[os.write(self.fd, data):]


class Now:
    """The invocation that is running."""

    request_id = None
    tenant_id = None


class Fault(Exception):
    """A handler that cannot be had."""

    def __init__(self, kind, message, trace=None):
        super().__init__(message)
        self.report = failure(message, kind, trace, "")


class CognitoIdentity:
    __slots__ = ["cognito_identity_id", "cognito_identity_pool_id"]

    def __init__(self, data):
        self.cognito_identity_id = data.get("cognitoIdentityId")
        self.cognito_identity_pool_id = data.get("cognitoIdentityPoolId")

    def __repr__(self):
        return "CognitoIdentity([cognito_identity_id=%s,cognito_identity_pool_id=%s])" % (
            self.cognito_identity_id, self.cognito_identity_pool_id)


class Client:
    __slots__ = ["installation_id", "app_title", "app_version_name", "app_version_code",
                 "app_package_name"]

    def __init__(self, data):
        for name in self.__slots__:
            setattr(self, name, data.get(name))


class ClientContext:
    __slots__ = ["custom", "env", "client"]

    def __init__(self, data):
        self.custom = data.get("custom")
        self.env = data.get("env")
        self.client = Client(data["client"]) if data.get("client") is not None else None


class LambdaContext:
    def __init__(self, headers):
        get = headers.get
        self.aws_request_id = get("lambda-runtime-aws-request-id")
        self.log_group_name = ENV.get("AWS_LAMBDA_LOG_GROUP_NAME")
        self.log_stream_name = ENV.get("AWS_LAMBDA_LOG_STREAM_NAME")
        self.function_name = ENV.get("AWS_LAMBDA_FUNCTION_NAME")
        self.memory_limit_in_mb = ENV.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE")
        self.function_version = ENV.get("AWS_LAMBDA_FUNCTION_VERSION")
        self.invoked_function_arn = get("lambda-runtime-invoked-function-arn")
        self.tenant_id = get("lambda-runtime-aws-tenant-id")
        client = get("lambda-runtime-client-context")
        self.client_context = ClientContext(json.loads(client)) if client else None
        identity = get("lambda-runtime-cognito-identity")
        self.identity = CognitoIdentity(json.loads(identity) if identity else {})
        self._epoch_deadline_time_in_ms = int(get("lambda-runtime-deadline-ms", 0))

    def get_remaining_time_in_millis(self):
        return max(self._epoch_deadline_time_in_ms - int(time.time() * 1000), 0)

    def log(self, message):
        SINK.write(str(message))

    def __repr__(self):
        names = ("aws_request_id", "log_group_name", "log_stream_name", "function_name",
                 "memory_limit_in_mb", "function_version", "invoked_function_arn",
                 "client_context", "identity", "tenant_id")
        return "LambdaContext([%s])" % ",".join(
            "%s=%s" % (n, getattr(self, n)) for n in names)


class LoggingFinder:
    """Sets `logging` up as soon as somebody imports it."""

    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name != "logging":
            return None
        sys.meta_path.remove(cls)
        for finder in sys.meta_path:
            spec = finder.find_spec(name, path, target)
            if spec is not None:
                break
        else:
            return None
        inner = spec.loader

        class Loader:
            """The module's own loader, with one step more."""

            @staticmethod
            def exec_module(module):
                inner.exec_module(module)
                set_up_logging(module)

            def create_module(self, spec):
                return inner.create_module(spec)

            def __getattr__(self, name):
                return getattr(inner, name)

        spec.loader = Loader()
        return spec


def set_up_logging(logging):
    standard = set(vars(logging.makeLogRecord({}))) | {
        "message", "asctime", "aws_request_id", "tenant_id"}

    class RequestFilter(logging.Filter):
        def filter(self, record):
            record.aws_request_id = Now.request_id
            record.tenant_id = Now.tenant_id
            return True

    class TextFormatter(logging.Formatter):
        converter = time.gmtime

        def __init__(self):
            super().__init__(
                "[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s\n",
                "%Y-%m-%dT%H:%M:%S")

        def format(self, record):
            text = super().format(record)
            return text if text.endswith("\n") else text + "\n"

    class JsonFormatter(logging.Formatter):
        def format(self, record):
            stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
            out = {"timestamp": stamp + "Z", "level": record.levelname,
                   "message": record.getMessage(), "logger": record.name}
            if record.stack_info:
                out["stackTrace"] = record.stack_info.split("\n")
            if record.exc_info:
                import traceback
                kind, value, trace = record.exc_info
                out["stackTrace"] = [
                    line.rstrip("\n") for line in traceback.format_tb(trace)]
                out["errorType"] = kind.__name__ if kind else None
                out["errorMessage"] = str(value)
                out["location"] = "%s:%s:%s" % (record.pathname, record.funcName, record.lineno)
            out["requestId"] = record.aws_request_id
            if record.tenant_id:
                out["tenantId"] = record.tenant_id
            for name, value in vars(record).items():
                if name not in standard and name not in out:
                    out[name] = value
            return json.dumps(out, default=str, ensure_ascii=False) + "\n"

    class Handler(logging.Handler):
        def emit(self, record):
            try:
                SINK.write(self.format(record))
            except Exception:
                self.handleError(record)

    handler = Handler()
    handler.setFormatter(JsonFormatter() if JSON_LOGS else TextFormatter())
    handler.addFilter(RequestFilter())
    root = logging.getLogger()
    root.addHandler(handler)
    logging.Formatter.converter = time.gmtime
    level = ENV.get("AWS_LAMBDA_LOG_LEVEL")
    if JSON_LOGS and level:
        names = {"TRACE": "DEBUG", "FATAL": "CRITICAL", "WARN": "WARNING"}
        root.setLevel(names.get(level, level))


def failure(message, kind, trace, request_id):
    return {"errorMessage": message, "errorType": kind, "requestId": request_id,
            "stackTrace": trace or []}


def failure_of(error, request_id):
    """The report of an exception, without the frames of this file."""
    import traceback
    frames = traceback.extract_tb(error.__traceback__)
    ours = (__file__, importlib.__file__)
    while frames and (frames[0].filename in ours or frames[0].filename.startswith("<frozen")):
        frames = frames[1:]
    trace = traceback.format_list(frames)
    return failure(str(error), type(error).__name__, trace, request_id)


def log_failure(report):
    kind, message = report["errorType"], report["errorMessage"]
    if JSON_LOGS:
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime())
        record = {"timestamp": stamp + "Z", "log_level": "ERROR", "level": "ERROR",
                  "errorMessage": message, "errorType": kind, "requestId": report["requestId"],
                  "stackTrace": report["stackTrace"]}
        if Now.tenant_id:
            record["tenantId"] = Now.tenant_id
        SINK.write(json.dumps(record, ensure_ascii=False) + "\n")
        return
    lines = ["[ERROR] %s%s" % (kind, ": " + message if message else "")]
    lines.append("Traceback (most recent call last):")
    for frame in report["stackTrace"]:
        for line in frame.splitlines():
            bare = line.lstrip(" ")
            # Spaces at the beginning of a line would not survive the console.
            lines.append(NBSP * (len(line) - len(bare)) + bare)
    SINK.write("\n".join(lines) + "\n")


def get_handler(name):
    try:
        module, function = name.rsplit(".", 1)
    except ValueError as e:
        raise Fault("Runtime.MalformedHandlerName", "Bad handler '%s': %s" % (name, e))
    top = module.split(".")[0]
    if top in sys.builtin_module_names:
        raise Fault("Runtime.ImportModuleError",
                    "Cannot use built-in module %s as a handler module" % module)
    try:
        loaded = importlib.import_module(module.replace("/", "."))
    except ImportError as e:
        raise Fault("Runtime.ImportModuleError",
                    "Unable to import module '%s': %s" % (module, e))
    except SyntaxError as e:
        trace = ['  File "%s" Line %s\n    %s' % (e.filename, e.lineno, e.text)]
        raise Fault("Runtime.UserCodeSyntaxError",
                    "Syntax error in module '%s': %s" % (module, e), trace)
    try:
        return getattr(loaded, function)
    except AttributeError:
        raise Fault("Runtime.HandlerNotFound",
                    "Handler '%s' missing on module '%s'" % (function, module))


def decimal_too(value):
    decimal = sys.modules.get("decimal")
    if decimal is not None and isinstance(value, decimal.Decimal):
        return float(value) if value % 1 else int(value)
    raise TypeError("Object of type %s is not JSON serializable" % type(value).__name__)


def run_handler(handler, headers, body):
    """The answer's body, or the report of what went wrong."""
    request_id = Now.request_id
    try:
        try:
            event = json.loads(body.decode("utf-8"))
        except Exception as e:
            return None, failure("Unable to unmarshal input: %s" % e,
                                 "Runtime.UnmarshalError", None, request_id)
        result = handler(event, LambdaContext(headers))
        try:
            text = json.dumps(result, ensure_ascii=False, default=decimal_too)
            return text.encode("utf-8"), None
        except Exception as e:
            return None, failure("Unable to marshal response: %s" % e,
                                 "Runtime.MarshalError", None, request_id)
    except Exception as e:
        return None, failure_of(e, request_id)


def as_json(report):
    return json.dumps(report, ensure_ascii=False).encode("utf-8", "backslashreplace")


def error_header(report):
    return "Lambda-Runtime-Function-Error-Type: %s\r\nContent-Type: application/json\r\n" % (
        report["errorType"].encode("ascii", "replace").decode())


def set_up_path():
    root = ENV.get("LAMBDA_TASK_ROOT", "")
    version = "python%d.%d" % sys.version_info[:2]
    ours = os.path.dirname(__file__)
    rest = [p for p in sys.path if p != ours]
    layers = ENV.pop("_FOGBANK_OPT", "/opt") + "/python"
    sys.path[:] = [root, "%s/lib/%s/site-packages" % (layers, version), layers]
    sys.path += rest + [ours, ENV.pop("_FOGBANK_SDK", "/var/sdk")]


def main():
    api = Api(ENV["AWS_LAMBDA_RUNTIME_API"])
    set_up_path()
    sys.meta_path.insert(0, LoggingFinder)
    # The function's module must not find this one by the name `__main__`.
    try:
        handler = get_handler(ENV["_HANDLER"])
        report = None
    except Fault as e:
        report = e.report
    except Exception as e:
        report = failure_of(e, "")
    if report is not None:
        log_failure(report)
        api.call("POST", "init/error", as_json(report), error_header(report))
        sys.exit(1)
    while True:
        status, headers, body = api.call("GET", "invocation/next")
        if status != 200:
            sys.exit(1)
        Now.request_id = headers["lambda-runtime-aws-request-id"]
        Now.tenant_id = headers.get("lambda-runtime-aws-tenant-id")
        trace = headers.get("lambda-runtime-trace-id")
        if trace:
            ENV["_X_AMZN_TRACE_ID"] = trace
        else:
            ENV.pop("_X_AMZN_TRACE_ID", None)
        answer, report = run_handler(handler, headers, body)
        path = "invocation/" + Now.request_id
        if report is None:
            api.call("POST", path + "/response", answer, "Content-Type: application/json\r\n")
        else:
            log_failure(report)
            api.call("POST", path + "/error", as_json(report), error_header(report))


SINK = Sink(ENV.get("_LAMBDA_TELEMETRY_LOG_FD"))
