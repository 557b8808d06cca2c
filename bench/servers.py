"""The servers that are compared: how each is started, measured and stopped."""

import os
import shlex
import shutil
import signal
import socket
import subprocess
import tempfile
import time

from sigv4 import Signer, send_raw

CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Server:
    """One emulator: a process tree on a loopback port with a data directory of its own."""

    def __init__(self, name, command, env=None):
        self.name, self.command, self.env = name, command, env or {}
        self.port, self.process, self.data = free_port(), None, None
        self.signer = Signer(f"http://127.0.0.1:{self.port}")

    def start(self, keep_data=False, timeout=60):
        """Starts it; returns the milliseconds until the first successful signed ListBuckets."""
        if not keep_data:
            self.data = tempfile.mkdtemp(prefix=f"fogbank-bench-{self.name}-")
        fill = {"port": self.port, "data": self.data}
        env = {**os.environ, **CREDENTIALS, **{k: v.format(**fill) for k, v in self.env.items()}}
        self.log = open(os.path.join(self.data, "server.log"), "ab")
        began = time.perf_counter()
        self.process = subprocess.Popen(
            shlex.split(self.command.format(**fill)),
            env=env, stdout=self.log, stderr=self.log, cwd=self.data, start_new_session=True)
        while time.perf_counter() - began < timeout:
            if self.process.poll() is not None:
                raise RuntimeError(f"{self.name} ended with {self.process.returncode}: {self.tail()}")
            try:
                status, _, body, _ = send_raw("127.0.0.1", self.port, self.signer.raw("s3", "GET", "/"), timeout=timeout)
                if status == 200 and b"ListAllMyBucketsResult" in body:
                    return (time.perf_counter() - began) * 1e3
            except OSError:
                pass
            time.sleep(0.001)
        raise RuntimeError(f"{self.name} does not answer: {self.tail()}")

    def stop(self, kill=False):
        """Ends the whole process tree, and waits until the port is free."""
        if self.process is None:
            return
        pids = self.tree()
        if not kill:
            self.process.terminate()
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                pass
        for pid in reversed(pids):
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:
                pass
        self.process.wait(10)
        self.process = None
        self.log.close()
        for _ in range(200):
            with socket.socket() as s:
                if s.connect_ex(("127.0.0.1", self.port)):
                    return
            time.sleep(0.02)

    def discard(self):
        self.stop(kill=True)
        shutil.rmtree(self.data, ignore_errors=True)

    def tail(self):
        with open(os.path.join(self.data, "server.log"), errors="replace") as f:
            return f.read()[-1500:]

    def tree(self):
        """The process ids of the server and all it started."""
        children = {}
        for d in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{d}/stat") as f:
                    parent = int(f.read().rpartition(")")[2].split()[1])
                children.setdefault(parent, []).append(int(d))
            except OSError:
                pass
        out, todo = [], [self.process.pid]
        while todo:
            pid = todo.pop()
            out.append(pid)
            todo += children.get(pid, [])
        return out

    def rss_mib(self):
        """Resident memory of the tree."""
        kib = 0
        for pid in self.tree():
            try:
                with open(f"/proc/{pid}/smaps_rollup") as f:
                    kib += sum(int(line.split()[1]) for line in f if line.startswith("Rss:"))
            except OSError:
                pass
        return kib / 1024

    def cpu_seconds(self):
        """User and system time of the tree, and of its children that have ended."""
        ticks = 0
        for pid in self.tree():
            try:
                with open(f"/proc/{pid}/stat") as f:
                    ticks += sum(int(x) for x in f.read().rpartition(")")[2].split()[11:15])
            except OSError:
                pass
        return ticks / os.sysconf("SC_CLK_TCK")


def fogbank(binary, durability="process"):
    return Server("fogbank", f"{binary} up --port {{port}} --data {{data}}/d --durability {durability}")


def ministack(venv):
    return Server("ministack", f"{venv}/bin/ministack", {
        "GATEWAY_PORT": "{port}", "EDGE_PORT": "{port}", "BIND_HOST": "127.0.0.1", "LOG_LEVEL": "WARNING",
        "IOT_MTLS_ENABLED": "0", "SFTP_ENABLED": "0"})


def moto(venv):
    return Server("moto", f"{venv}/bin/moto_server -H 127.0.0.1 -p {{port}}")


class Nginx:
    """nginx serving one file: the ceiling of what a server on this machine can do."""

    def __init__(self, folder):
        self.port, self.folder, self.process = free_port(), folder, None
        self.signer = Signer(f"http://127.0.0.1:{self.port}")

    def start(self):
        conf = os.path.join(self.folder, "nginx.conf")
        with open(conf, "w") as f:
            f.write(
                f"worker_processes 1; daemon off; pid {self.folder}/nginx.pid; error_log /dev/null;\n"
                "events { worker_connections 256; }\n"
                f"http {{ access_log off; keepalive_requests 10000000; sendfile on; tcp_nopush on;\n"
                f"  client_body_temp_path {self.folder}/body;\n"
                f"  server {{ listen 127.0.0.1:{self.port}; root {self.folder}; }} }}\n")
        # Its workers run as another user: everything down to the file must be readable.
        os.chmod(self.folder, 0o755)
        self.process = subprocess.Popen(["nginx", "-c", conf], stderr=subprocess.DEVNULL)
        for _ in range(500):
            with socket.socket() as s:
                if not s.connect_ex(("127.0.0.1", self.port)):
                    return
            time.sleep(0.01)
        raise RuntimeError("nginx does not answer")

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait(10)
