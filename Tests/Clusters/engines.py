"""Servers as Debian packages them, each node an ordinary process below a folder of its own, on free ports of loopback."""

import getpass
import json
import os
import pathlib
import subprocess

from processes import PATIENCE, Node
from waiting import free_port


def within(root):
    """What stands in front of a command of another Debian, in which the suite's folder has its own place too."""
    return ["chroot", root] if root else []


def run(command, environment=None, text=None, limit=PATIENCE):
    outcome = subprocess.run(
        [str(part) for part in command], env={**os.environ, **(environment or {})}, capture_output=True, text=True,
        timeout=limit, input=text or "")
    if outcome.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))}: {outcome.stdout}{outcome.stderr}")
    return outcome.stdout


def version(package, root=""):
    """As Debian has it, without what Debian adds. root: of another Debian."""
    text = run(["dpkg-query", f"--admindir={root}/var/lib/dpkg", "-W", "-f", "${Version}", package])
    return text.split(":")[-1].split("-")[0].split("+")[0]


# mosquitto


class Mosquitto:
    def __init__(self, folder, text, rights, users, program=("/usr/sbin/mosquitto",)):
        """text, rights: of mosquitto.conf and mosquitto.acl. users: with the password secret."""
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True)
        port, path = free_port(), self.folder / "mosquitto.conf"
        (self.folder / "limpet.acl").write_text(rights)
        (self.folder / "limpet.passwd").write_text("")
        for user in users:
            run(["mosquitto_passwd", "-b", self.folder / "limpet.passwd", user, "secret"])
        path.write_text(text.replace("listener 1883", f"listener {port} 127.0.0.1")
                        .replace("/etc/mosquitto/", f"{self.folder}/") + f"user {getpass.getuser()}\n")
        self.nodes = [Node("mosquitto", self.folder, [*program, "-c", path], port)]

    def start(self):
        self.nodes[0].start()

    def stop(self):
        self.nodes[0].kill()


# RabbitMQ


class RabbitMQ:
    """Nodes that find each other by a port mapper of their own."""

    programs = "/usr/lib/rabbitmq/bin"

    def __init__(self, folder, count, text, root=""):
        """text: of rabbitmq.conf, with MQTT's own port. root: of another Debian."""
        self.folder, self.count, self.prefix = pathlib.Path(folder), count, within(root)
        self.folder.mkdir(parents=True)
        self.mapper_port = free_port()
        # A node that finds no mapper would start one that outlives it.
        self.mapper = Node(
            "epmd", self.folder, [*self.prefix, "epmd", "-port", self.mapper_port, "-address", "127.0.0.1"],
            self.mapper_port)
        self.nodes = [self.node(number + 1, text) for number in range(count)]

    def environment(self, name):
        # The cookie of a cluster is in the home folder.
        return {"HOME": str(self.folder), "ERL_EPMD_PORT": str(self.mapper_port),
                "RABBITMQ_NODENAME": f"{name}@localhost", "RABBITMQ_CONF_ENV_FILE": f"{self.folder}/none"}

    def node(self, number, text):
        name, port = f"node{number}", free_port()
        folder = self.folder / name
        folder.mkdir()
        (folder / "enabled_plugins").write_text("[rabbitmq_mqtt].\n")
        # They start one after the other: the first waits for nobody, each finds those before it.
        members = "".join(f"cluster_formation.classic_config.nodes.{other} = node{other}@localhost\n"
                          for other in range(1, number + 1)) if number > 1 else ""
        (folder / "rabbitmq.conf").write_text(
            f"listeners.tcp.default = 127.0.0.1:{free_port()}\nlog.console = true\nlog.console.level = error\n"
            f"log.file = false\n{members}" + text.replace("= 1883", f"= 127.0.0.1:{port}"))
        return Node(name, self.folder, [*self.prefix, f"{self.programs}/rabbitmq-server"], port, {
            **self.environment(name),
            # The node in the shell's place, so that signals reach it.
            "RUNNING_UNDER_SYSTEMD": "true",
            "RABBITMQ_MNESIA_BASE": f"{folder}/data", "RABBITMQ_LOG_BASE": f"{folder}/log",
            "RABBITMQ_CONFIG_FILE": f"{folder}/rabbitmq.conf",
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{folder}/enabled_plugins",
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS":
                "+sbwt none +S 1:1 -kernel inet_dist_use_interface {127,0,0,1}"})

    def control(self, name, *arguments, text=None):
        return run([*self.prefix, f"{self.programs}/rabbitmqctl", "-q", "-n", f"{name}@localhost", *arguments],
                   self.environment(name), text)

    def start(self):
        self.mapper.start()
        for node in self.nodes:
            node.start()
        if self.count > 1:
            members = json.loads(self.control("node1", "cluster_status", "--formatter", "json"))["running_nodes"]
            assert len(members) == self.count, f"the cluster is {members}"

    def stop(self):
        for node in self.nodes:
            node.kill()
        self.mapper.end()


# nats-server


class Nats:
    def __init__(self, folder, count, text, root=""):
        """text: of nats.conf, with MQTT's own port. root: of another Debian."""
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True)
        routes = [free_port() for _ in range(count)]
        members = ", ".join(f'"nats://127.0.0.1:{route}"' for route in routes)
        self.nodes = []
        for number, route in enumerate(routes):
            name, port, path = f"node{number + 1}", free_port(), self.folder / f"node{number + 1}.conf"
            cluster = f'cluster {{ name: limpet, listen: "127.0.0.1:{route}", routes: [{members}] }}\n'
            path.write_text(
                text.replace("server_name: limpet", f"server_name: {name}")
                .replace("listen: 127.0.0.1:4222", f"listen: 127.0.0.1:{free_port()}")
                .replace("port: 1883", f'host: "127.0.0.1", port: {port}')
                .replace("/var/lib/nats", f"{self.folder}/{name}") + (cluster if count > 1 else ""))
            self.nodes.append(Node(name, self.folder, [*within(root), "/usr/sbin/nats-server", "-c", path], port))

    def start(self):
        for node in self.nodes:
            node.start()

    def stop(self):
        for node in self.nodes:
            node.kill()


# ejabberd


class Ejabberd:
    def __init__(self, folder, text, users):
        """text: of ejabberd.yml, with MQTT's own port. users: with the password secret."""
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True)
        port, path = free_port(), self.folder / "ejabberd.yml"
        path.write_text(text.replace("port: 1883", f"port: {port}").replace('ip: "::"', 'ip: "127.0.0.1"'))
        libraries = next(place.parent for place in pathlib.Path("/usr/lib").glob("*-linux-gnu/ejabberd-*"))
        # What `ejabberdctl register` does; without a node name, for which Erlang's port mapper would be needed.
        register = "".join(f'ok = ejabberd_auth:try_register(<<"{user}">>, <<"localhost">>, <<"secret">>), '
                           for user in users) + "ok."
        self.nodes = [Node("ejabberd", self.folder, [
            "erl", "-noinput", "+S", "1:1", "+sbwt", "none", "-mnesia", "dir", f'"{self.folder}/spool"', "-s",
            "ejabberd", "-eval", register], port, {
                "EJABBERD_CONFIG_PATH": str(path), "EJABBERD_LOG_PATH": f"{self.folder}/ejabberd.out",
                "HOME": str(self.folder), "ERL_LIBS": str(libraries)})]

    def start(self):
        self.nodes[0].start()

    def stop(self):
        self.nodes[0].kill()
