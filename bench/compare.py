#!/usr/bin/env python3
"""fogbank beside its peers, in one run: ratios, not absolute times.

Every load runs on all servers in turn, several times over, so that a busy moment of the machine hits
all of them. The promises stand in PROMISES; the exit code is 0 when all that were measured hold.

    compare.py --fogbank target/release/fogbank --peers target/bench --out bench/results.md [--quick]
"""

import argparse
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "loads")]

import dynamodb  # noqa: E402
import s3  # noqa: E402
import sfn  # noqa: E402
import sqs  # noqa: E402
from measure import Load, build_loader  # noqa: E402
from servers import Nginx, fogbank, ministack, moto  # noqa: E402

median = statistics.median


class Results:
    """Figures by name and server, and the promises about them."""

    def __init__(self):
        self.rows, self.promises = {}, []

    def put(self, row, server, value, unit):
        self.rows.setdefault((row, unit), {})[server] = value
        print(f"  {row:34} {server:10} {value:12,.1f} {unit}", flush=True)

    def get(self, row, server):
        return next((v[server] for (name, _), v in self.rows.items() if name == row and server in v), None)

    def promise(self, text, got, limit, at_most=True):
        """`got` is None when a peer is not there: then it is not measured, which is not a failure."""
        held = None if got is None else (got <= limit if at_most else got >= limit)
        self.promises.append((text, got, limit, at_most, held))

    def ratio(self, row, peer, of="fogbank"):
        a, b = self.get(row, of), self.get(row, peer)
        return None if a is None or not b else a / b


def starts(servers, r, times):
    print("start to the first successful ListBuckets")
    seen = {s.name: [] for s in servers}
    for _ in range(times):
        for s in servers:
            seen[s.name].append(s.start())
            if len(seen[s.name]) == times:
                time.sleep(2)
                r.put("idle memory", s.name, s.rss_mib(), "MiB")
            s.discard()
    for s in servers:
        r.put("start", s.name, median(seen[s.name]), "ms")


def interleave(servers, r, row, make, clients, count, repeat, rate="ops", **options):
    """One load on every server in turn, `repeat` times; medians."""
    got = {s.name: [] for s in servers}
    for n in range(repeat):
        for s in servers:
            try:
                got[s.name].append(Load(LOADER, s).run(make(s, n), clients, count, **options))
            except RuntimeError as e:
                # A peer that fails a request has no figure here; the others still have theirs.
                if s.name == "fogbank":
                    raise
                print(f"  {row:34} {s.name:10} failed: {str(e)[:160]}", flush=True)
    for s in servers:
        if not got[s.name]:
            continue
        r.put(f"{row}: CPU per request", s.name, median(g["cpu_us"] for g in got[s.name]), "us")
        unit = "MiB/s" if rate == "mib_s" else "requests/s"
        r.put(f"{row}: throughput", s.name, median(g[rate] for g in got[s.name]), unit)


def s3_loads(servers, r, repeat):
    print("S3")
    for s in servers:
        s.start()
        s3.prepare(s)
        load = Load(LOADER, s)
        load.run(s3.fill_small(s), 4, 500, once=True, cap=60)
        load.run(s3.put_big(s), 2, 8, once=True, cap=60)
        load.run(s3.fill_listing(s), 16, 10_000, once=True, cap=120)
    interleave(servers, r, "put 1 KiB", s3.put_small, 16, 4000, repeat, cap=5)
    interleave(servers, r, "get 1 KiB", lambda s, _: s3.get_small(s), 16, 8000, repeat, cap=5, minbody=1024)
    interleave(servers, r, "put 8 MiB", lambda s, _: s3.put_big(s), 16, 48, repeat, "mib_s")
    interleave(servers, r, "get 8 MiB", lambda s, _: s3.get_big(s), 16, 96, repeat, "mib_s", minbody=8 << 20)
    pages = {s.name: [] for s in servers}
    for _ in range(max(repeat, 5)):
        for s in servers:
            pages[s.name].append(s3.list_pages(s))
    for s in servers:
        r.put("list 10,000 keys in pages", s.name, median(pages[s.name]), "ms")
        s.discard()


def sfn_loads(servers, r, repeat):
    print("Step Functions")
    able, machines = [], {}
    for s in servers:
        s.start()
        try:
            machines[s.name] = sfn.prepare(s)
            able.append(s)
        except RuntimeError as e:
            if s.name == "fogbank":
                raise
            print(f"  skipped: {e}", flush=True)
    interleave(able, r, "5 JSONata states, sync", lambda s, _: sfn.sync(s, machines[s.name]), 16, 4000, repeat, cap=10)
    for s in servers:
        s.discard()


def sqs_loads(servers, r, repeat):
    print("SQS")
    urls = {}
    for s in servers:
        s.start()
        urls[s.name] = sqs.queue(s, "bench")
        # What receives take must be there: ten for each.
        Load(LOADER, s).run(sqs.fill(s, urls[s.name]), 4, 500 * repeat, once=False, cap=120)
    url = lambda s: urls[s.name]  # noqa: E731
    interleave(servers, r, "send 1 KiB", lambda s, _: sqs.send(s, url(s)), 16, 4000, repeat, cap=10)
    interleave(servers, r, "receive 10", lambda s, _: sqs.receive(s, url(s)), 16, 500, repeat, cap=20)
    interleave(servers, r, "delete a message", lambda s, _: sqs.delete(s, url(s), 500), 16, 500, repeat, cap=20, once=True)
    for s in servers:
        s.discard()


def beside_nginx(ours, r, repeat):
    """The same 8 MiB file from nginx and from us, in turn."""
    if not shutil.which("nginx"):
        print("skipped: nginx not found")
        return
    folder = tempfile.mkdtemp(prefix="fogbank-bench-nginx-")
    os.makedirs(os.path.join(folder, "bench", "big"))
    for i in range(8):
        with open(os.path.join(folder, "bench", "big", f"{i:02d}"), "wb") as f:
            f.write(s3.BIG)
    nginx = Nginx(folder)
    nginx.name = "nginx"
    nginx.start()
    ours.start()
    s3.prepare(ours)
    Load(LOADER, ours).run(s3.put_big(ours), 2, 8, once=True, cap=60)
    got = {"nginx": [], "fogbank": []}
    try:
        for _ in range(max(repeat, 5)):
            for s in (nginx, ours):
                figures = Load(LOADER, s).run(s3.get_big(s), 16, 192, minbody=8 << 20)
                got[s.name].append(figures["mib_s"])
    finally:
        nginx.stop()
        ours.discard()
        shutil.rmtree(folder, ignore_errors=True)
    for name, rates in got.items():
        r.put("get 8 MiB beside nginx", name, median(rates), "MiB/s")


def loaded_memory(ours, r, objects):
    """Resident memory after many small objects and 1 GiB of large ones."""
    ours.start()
    s3.prepare(ours)
    load = Load(LOADER, ours)
    for first in range(0, objects, 10_000):
        load.run(s3.fill_many(ours, first, 10_000), 16, 10_000, once=True, cap=120)
    load.run(s3.put_big(ours), 16, 128, cap=120)
    load.run(s3.get_big(ours), 16, 128, cap=120, minbody=8 << 20)
    r.put("memory after the loads", "fogbank", ours.rss_mib(), "MiB")
    ours.discard()


def durable(binary, r, repeat):
    """Puts that reach the disk before they are acknowledged."""
    s = fogbank(binary, "fsync")
    s.start()
    s3.prepare(s)
    rates = [Load(LOADER, s).run(s3.put_small(s, n), 16, 4000, cap=10)["ops"] for n in range(repeat)]
    s.discard()
    r.put("put 1 KiB, on disk: throughput", "fogbank", median(rates), "requests/s")


def dynamodb_loads(servers, r, repeat):
    print("DynamoDB")
    for s in servers:
        s.start()
        dynamodb.prepare(s)
        Load(LOADER, s).run(dynamodb.put(s, "g", 1000), 4, 1000, once=True, cap=60)
    interleave(servers, r, "put an item", dynamodb.put, 16, 4000, repeat, cap=5)
    interleave(servers, r, "get an item", lambda s, _: dynamodb.get(s), 16, 8000, repeat, cap=5, minbody=200)
    interleave(servers, r, "update an item", lambda s, _: dynamodb.update(s), 16, 4000, repeat, cap=5)
    interleave(servers, r, "query 20 items", lambda s, _: dynamodb.query(s), 16, 4000, repeat, cap=5, minbody=4000)
    for s in servers:
        s.discard()


def large_table(binary, r, repeat, items):
    """A put in a table of 1,000 items and in a large one, on two servers in turn."""
    small, large = fogbank(binary), fogbank(binary)
    for s, count in ((small, 1000), (large, items)):
        s.start()
        dynamodb.prepare(s)
        for first in range(0, count, 100_000):
            some = min(100_000, count - first)
            Load(LOADER, s).run(dynamodb.fill(s, first, some), 8, some // 25, once=True, cap=300)
    costs = {"small": [], "large": []}
    for n in range(max(repeat, 3)):
        for name, s in (("small", small), ("large", large)):
            costs[name].append(Load(LOADER, s).run(dynamodb.put(s, n), 16, 4000, cap=10)["cpu_us"])
    r.put("put in a table of 1,000: CPU per request", "fogbank", median(costs["small"]), "us")
    r.put(f"put in a table of {items:,}: CPU per request", "fogbank", median(costs["large"]), "us")
    r.put("put in a large table", "fogbank", median(costs["large"]) / median(costs["small"]), "times a small one's")
    for s in (small, large):
        s.discard()


def promises(r, binary):
    """What fogbank promises, numbered as in README; the peers' best figures are theirs."""
    p, m = r.promise, "ministack"
    inverse = lambda x: None if not x else 1 / x
    p("1. start to first ListBuckets, ms", r.get("start", "fogbank"), 25)
    p("2. idle memory, MiB", r.get("idle memory", "fogbank"), 20)
    p("3. memory after 100,000 small objects and 1 GiB, MiB", r.get("memory after the loads", "fogbank"), 100)
    p("4. release binary, MB", os.path.getsize(binary) / 1e6, 40)
    p("5. CPU per 1 KiB put, times less than ministack", inverse(r.ratio("put 1 KiB: CPU per request", m)), 4, False)
    p("6. CPU per 1 KiB get, times less than ministack", inverse(r.ratio("get 1 KiB: CPU per request", m)), 12, False)
    p("7. 1 KiB puts per second, times ministack's", r.ratio("put 1 KiB: throughput", m), 4, False)
    p("8. 1 KiB gets per second, times ministack's", r.ratio("get 1 KiB: throughput", m), 16, False)
    # The strongest peer's durable put made 505/s where ministack's plain put made 3,828/s.
    base = r.get("put 1 KiB: throughput", m)
    on_disk = r.get("put 1 KiB, on disk: throughput", "fogbank")
    p("9. durable 1 KiB puts, times the strongest peer's", on_disk / (base * 505 / 3828) if base and on_disk else None, 10, False)
    p("10. 8 MiB gets, share of nginx", r.ratio("get 8 MiB beside nginx", "nginx"), 0.70, False)
    p("11. 8 MiB puts, times ministack's MiB/s", r.ratio("put 8 MiB: throughput", m), 1.3, False)
    p("12. list 10,000 keys, times faster than ministack", inverse(r.ratio("list 10,000 keys in pages", m)), 10, False)
    for n, (row, times) in enumerate((("put an item", 10), ("get an item", 12), ("update an item", 11), ("query 20 items", 10)), 13):
        p(f"{n}. DynamoDB, CPU to {row}, times less than ministack", inverse(r.ratio(f"{row}: CPU per request", m)), times, False)
    p("17. DynamoDB, a put in a large table, times one in a table of 1,000", r.get("put in a large table", "fogbank"), 1.3)
    p("18. CPU per synchronous workflow of five JSONata states, times less than ministack",
      inverse(r.ratio("5 JSONata states, sync: CPU per request", m)), 33, False)
    p("19. CPU per 1 KiB message sent, times less than ministack", inverse(r.ratio("send 1 KiB: CPU per request", m)), 8, False)
    p("20. CPU per receive of 10 messages, times less than ministack", inverse(r.ratio("receive 10: CPU per request", m)), 6, False)


def report(r, out, names):
    """The tables, as Markdown."""
    lines = ["# Bench results", "",
             f"Measured {time.strftime('%Y-%m-%d')} on {os.cpu_count()} cores ({platform.machine()}), in one run; "
             "medians. Signatures verified, policies on, writes durable against kill -9.", "",
             "| | " + " | ".join(names) + " |", "|---|" + "---|" * len(names)]
    for (row, unit), values in r.rows.items():
        cells = [f"{values[n]:,.1f}" if n in values else "" for n in names]
        lines.append(f"| {row}, {unit} | " + " | ".join(cells) + " |")
    lines += ["", "| promise | measured | limit | |", "|---|---|---|---|"]
    for text, got, limit, at_most, held in r.promises:
        verdict = {True: "holds", False: "**missed**", None: "not measured"}[held]
        shown = "" if got is None else f"{got:,.2f}"
        lines.append(f"| {text} | {shown} | {'<=' if at_most else '>='} {limit} | {verdict} |")
    text = "\n".join(lines) + "\n"
    with open(out, "w") as f:
        f.write(text)
    print("\n" + text)


def venv(folder, name, *packages):
    """A virtual environment with `packages`, made once; None when they cannot be had."""
    path = os.path.join(folder, name)
    try:
        if not os.path.exists(os.path.join(path, "ready")):
            subprocess.run([sys.executable, "-m", "venv", path], check=True)
            subprocess.run([os.path.join(path, "bin", "pip"), "install", "-q", *packages], check=True)
            open(os.path.join(path, "ready"), "w").close()
        return path
    except subprocess.CalledProcessError as e:
        print(f"skipped: {name} cannot be installed ({e})")
        return None


def main():
    global LOADER
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--fogbank", required=True, help="the release binary")
    a.add_argument("--peers", required=True, help="a folder for the peers' virtual environments")
    a.add_argument("--out", required=True, help="the results, as Markdown")
    a.add_argument("--quick", action="store_true", help="fewer repeats: a look, not a figure")
    a.add_argument("--alone", action="store_true", help="without peers")
    args = a.parse_args()
    args.peers = os.path.abspath(args.peers)
    os.makedirs(args.peers, exist_ok=True)
    LOADER = build_loader(args.peers)
    binary, repeat = os.path.abspath(args.fogbank), 1 if args.quick else 3
    peers = []
    if not args.alone:
        for make, name, package in ((ministack, "ministack", "ministack"), (moto, "moto", "moto[server]")):
            path = venv(args.peers, name, package)
            peers += [make(path)] if path else []
    r = Results()
    servers = [fogbank(binary), *peers]
    starts(servers, r, 3 if args.quick else 7)
    s3_loads(servers, r, repeat)
    sfn_loads(servers, r, repeat)
    sqs_loads(servers, r, repeat)
    beside_nginx(fogbank(binary), r, repeat)
    loaded_memory(fogbank(binary), r, 20_000 if args.quick else 100_000)
    durable(binary, r, repeat)
    dynamodb_loads(servers, r, repeat)
    large_table(binary, r, repeat, 50_000 if args.quick else 1_000_000)
    promises(r, binary)
    report(r, args.out, [s.name for s in servers] + ["nginx"])
    sys.exit(any(held is False for *_, held in r.promises))


if __name__ == "__main__":
    main()
