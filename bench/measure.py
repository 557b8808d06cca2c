"""Loads against a server: requests are signed beforehand and replayed by loader.c, which is not the bottleneck."""

import json
import os
import subprocess
import tempfile

from sigv4 import write_reqs

HERE = os.path.dirname(os.path.abspath(__file__))


def build_loader(folder):
    """Compiles loader.c into `folder`; returns the program's path."""
    out = os.path.join(folder, "loader")
    source = os.path.join(HERE, "loader.c")
    if not os.path.exists(out) or os.path.getmtime(out) < os.path.getmtime(source):
        subprocess.run(["cc", "-O2", "-pthread", "-o", out, source], check=True)
    return out


class Load:
    """A way to put load on one server."""

    def __init__(self, loader, server):
        self.loader, self.server = loader, server

    def run(self, requests, clients, count, cap=20.0, minbody=None, once=False):
        """Replays `requests` (request i mod n) over `clients` connections.

        Returns the loader's figures and `cpu_us`: the server's CPU time per request in microseconds.
        Raises when any request failed: a figure with failures in it is no figure.
        """
        with tempfile.NamedTemporaryFile(suffix=".bin") as f:
            write_reqs(f.name, requests)
            command = [self.loader, "127.0.0.1", str(self.server.port), f.name, str(clients), str(count), str(cap)]
            command += ["--minbody", str(minbody)] if minbody is not None else []
            command += ["--once"] if once else []
            measured = hasattr(self.server, "cpu_seconds")
            before = self.server.cpu_seconds() if measured else 0
            out = subprocess.run(command, capture_output=True, text=True, timeout=cap + 130)
            figures = json.loads(out.stdout)
            used = self.server.cpu_seconds() - before if measured else 0
        if not figures["n"] or figures["ok"] != figures["n"]:
            raise RuntimeError(f"{self.server.name}: {figures}")
        figures["cpu_us"] = used * 1e6 / figures["n"]
        figures["mib_s"] = (figures["mib_in"] + figures["mib_out"]) / figures["seconds"]
        return figures
