"""clusters.py PROGRAM FOLDER DEVICES NEWER SERVERS [PART...]: other servers than one mosquitto, as an owner runs them.

Clusters of three nodes under a fleet, and what each of them loses; the configurations under etc/; mosquitto of two
releases of Debian. NEWER: the folder with Debian 13's mosquitto, SERVERS: that with its RabbitMQ and nats-server, or
nothing. The last line is "N passed, N failed", and ", N skipped" where that is so.
"""

import collections
import pathlib
import re
import signal
import sys
import traceback

sys.path.append(str(pathlib.Path(__file__).parent.parent / "Python"))
import configurations
import releases
from cluster import Trial
from engines import Nats, RabbitMQ, version
from processes import stop_all
from rows import finish, skip, table, tally

program, folder, devices = sys.argv[1], pathlib.Path(sys.argv[2]), int(sys.argv[3])
newer_folder = pathlib.Path(sys.argv[4]) if sys.argv[4] else None
servers = sys.argv[5]
only = sys.argv[6:]
Newer = collections.namedtuple("Newer", "version command")


def newer_mosquitto():
    """Under its own release's loader and libraries."""
    if newer_folder is None:
        return None
    libraries = next((newer_folder / "usr/lib").glob("*-linux-gnu"))
    loader = next(libraries.glob("ld-linux-*.so.*"))
    return Newer((newer_folder / "version").read_text().strip(), (
        str(loader), "--inhibit-cache", "--library-path", str(libraries), f"{newer_folder}/usr/sbin/mosquitto"))


def anonymous(name, is_newer=False):
    """The file under etc/, without logins: a fleet is rehearsed by one user."""
    text = pathlib.Path("etc", name).read_text()
    if name == "nats.conf":
        return text[:text.index("authorization {")].replace("port: 1883", "port: 1883\n  stream_replicas: 3")
    text = re.sub(r"^# (mqtt\.durable_queue_type)", r"\1", text, flags=re.MULTILINE)
    if is_newer:
        text = re.sub(r"^mqtt\.subscription_ttl .*", re.search(r"mqtt\.max_session.*", text)[0], text, flags=re.MULTILINE)
    return text.replace("allow_anonymous = false", "allow_anonymous = true") + "loopback_users = none\n"


# What an engine does with what three nodes have, when one of them is killed.
SAME = {
    "sessions of the killed node's devices": "all kept",
    "what is published meanwhile to a session of the killed node": "arrives",
    "acknowledged readings, of a subscriber at another node": "none lost",
}
EXPECTED = {
    "nats": {
        # Where the new consumer is to have a replica is drawn by lot, the dead node too.
        **SAME, "new subscriptions of QoS 1 meanwhile": "some are refused", "retained messages": "at all nodes",
        "the will of a device that dies with its node": "lost; its status stays online",
        "a node that comes back has of retained messages": "the newest",
    },
    "rabbitmq": {
        **SAME, "new subscriptions of QoS 1 meanwhile": "granted",
        "retained messages": "at the node alone that they were published at",
        "the will of a device that dies with its node": "lost; its status is gone with the node",
        "a node that comes back has of retained messages": "none that were published meanwhile",
    },
}


def clusters():
    made = {
        # Its sessions are quickly made.
        "nats": lambda: Trial(
            program, folder, f"nats-server {version('nats-server')}", Nats(folder / "nats", 3, anonymous("nats.conf")),
            devices, devices // 25),
        # A session is a queue on three nodes: 3.10 makes about ten a second on a small machine.
        "rabbitmq": lambda: Trial(
            program, folder, f"RabbitMQ {version('rabbitmq-server')}, quorum queues",
            RabbitMQ(folder / "rabbitmq", 3, anonymous("rabbitmq.conf")), devices, devices // 4, level="3.1.1",
            wildcards=False),
    }
    if servers:
        made["nats13"] = lambda: Trial(
            program, folder, f"nats-server {version('nats-server', servers)}",
            Nats(folder / "nats13", 3, anonymous("nats.conf"), servers),
            # A busy machine with two processors does not keep 1,000 sessions of this version together.
            min(devices, 30), 5)
        made["rabbitmq13"] = lambda: Trial(
            program, folder, f"RabbitMQ {version('rabbitmq-server', servers)}, quorum queues",
            RabbitMQ(folder / "rabbitmq13", 3, anonymous("rabbitmq.conf", is_newer=True), servers), devices,
            devices // 6, wildcards=False, speaks_5=True)
    elif not only or {"nats13", "rabbitmq13"} & set(only):
        skip("clusters of Debian 13's servers: they need root, for a chroot")
    trials = []
    for name, make in made.items():
        if only and name not in only:
            continue
        trial = make()
        trials.append(trial)
        try:
            trial.play(EXPECTED[name.removesuffix("13")])
        finally:
            stop_all()
    # Whether the killed node led something is chance.
    lines = ["connections of the other nodes", *EXPECTED["nats"]]
    if trials:
        table("What a cluster of three nodes has when one was killed",
              [f"{trial.name}, {trial.devices} devices" for trial in trials],
              [[line, *(trial.found.get(line, "-") for trial in trials)] for line in lines])


def main():
    newer = newer_mosquitto()
    if newer is None and (not only or {"etc", "releases"} & set(only)):
        skip("mosquitto of Debian 13: it cannot be fetched here")
    if not only or "etc" in only:
        configurations.rows(program, folder, newer)
    if newer and (not only or "releases" in only):
        releases.rows(program, folder, newer)
    clusters()


def end(number, frame):
    sys.exit(128 + number)


for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, end)
try:
    main()
except Exception:
    tally["failed"] += 1
    traceback.print_exc(file=sys.stdout)
finally:
    stop_all()
finish()
