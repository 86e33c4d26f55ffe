"""Boards that are folders, limpet on them, the broker, and a witness of what it passes on."""

import pathlib
import signal
import socket
import subprocess
import threading
import time
import zlib

from waiting import wait


def mac(number):
    return "dc:a6:32:" + ":".join(f"{byte:02x}" for byte in number.to_bytes(3, "big"))


class Tree:
    """What limpet takes for /sys, /proc and /etc of a board."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)

    def write(self, path, text):
        file = self.folder / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def read(self, path):
        return (self.folder / path.lstrip("/")).read_text()

    def files(self, folder, **contents):
        for name, text in contents.items():
            self.write(f"{folder}/{name}", f"{text}\n")

    def link(self, path, target):
        file = self.folder / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.symlink_to(target)

    def whole(self, name):
        """A board with something of every kind that limpet reads and drives without GPIO. Its serial number and MAC are
        its own: Home Assistant takes two devices with one MAC for one."""
        number = zlib.crc32(name.encode()) & 0xffffff
        self.write("/proc/loadavg", "0.25 0.50 0.75 1/200 4321\n")
        self.write("/proc/uptime", "12345.67 40000.00\n")
        self.write("/proc/meminfo", "MemTotal:        3884000 kB\nMemAvailable:    2097152 kB\n")
        self.write("/proc/stat", "cpu  100 0 100 800 0 0 0 0 0 0\nbtime 1780000000\n")
        self.write("/proc/device-tree/model", "Raspberry Pi 4 Model B Rev 1.4\0")
        self.write("/proc/device-tree/serial-number", f"{number:016x}\0")
        self.files("/sys/class/net/eth0", address=mac(number), operstate="up", type=1, speed=100)
        self.files("/sys/class/net/eth0/statistics", rx_bytes=123456)
        self.link("/sys/class/net/eth0/device", "../../../devices/platform/eth")
        (self.folder / "sys/devices/platform/eth").mkdir(parents=True)
        self.files("/sys/class/thermal/thermal_zone0", type="cpu-thermal", temp=40500, trip_point_0_temp=80000,
                   policy="step_wise")
        self.files("/sys/class/hwmon/hwmon0", name="board", temp1_input=31250, temp1_label="Case", temp1_max=70000,
                   in0_input=3301, curr1_input=512, power1_input=1250000, energy1_input=3600000,
                   humidity1_input=45300, fan1_input=2411, fan1_alarm=0, freq1_input=1500000, in1_input=5020,
                   in1_label="Five volts")
        self.files("/sys/class/hwmon/hwmon1", name="pwmfan", pwm1=0, pwm1_enable=1, fan1_input=0)
        device = "/sys/devices/i2c-1/1-0048/iio:device0"
        self.files(device, name="ads1015", in_voltage0_raw=1107, in_voltage0_scale=3, in_voltage1_raw=500,
                   in_voltage1_scale=3, in_voltage1_label="supply")
        self.link("/sys/bus/iio/devices/iio:device0", "../../../devices/i2c-1/1-0048/iio:device0")
        device = "/sys/devices/i2c-1/1-0076/iio:device1"
        self.files(device, name="air", in_temp_input=21500, in_humidityrelative_input=45300,
                   in_pressure_input=101.325, in_illuminance_input=320.5, in_concentration_co2_input=0.0415,
                   in_concentration_voc_input=0.0001, in_massconcentration_pm2p5_input=12.3, in_distance_input=0.84,
                   in_resistance_input=1024, in_colortemp_input=4000, in_accel_x_raw=-1024, in_accel_scale=0.5)
        self.link("/sys/bus/iio/devices/iio:device1", "../../../devices/i2c-1/1-0076/iio:device1")
        for id, contents in {"28-0316a2795bff": {"temperature": 23125}, "26-00000191ec09": {"vad": 512}}.items():
            self.files(f"/sys/devices/w1_bus_master1/{id}", **contents)
            self.link(f"/sys/bus/w1/devices/{id}", f"../../../devices/w1_bus_master1/{id}")
        self.files("/sys/class/power_supply/BAT0", type="Battery", capacity=87, voltage_now=12034000,
                   current_now=-512000, power_now=9876000, energy_now=48320000, charge_now=2400000, temp=312,
                   time_to_empty_now=5400, status="Discharging", online=1, present=1, cycle_count=123)
        self.write("/run/tank", "level: 812\n")
        self.write("/run/number", "42\n")
        self.write("/run/fast", "7\n")
        self.write("/run/text", "None\n")
        self.write("/run/mode", "2\n")
        self.files("/sys/class/leds/lamp", brightness=0, max_brightness=255)
        self.files("/sys/class/leds/strip", brightness=0, max_brightness=100)
        return self


class Broker:
    """mosquitto, whose retained messages and sessions survive a clean end."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.process = None
        self.folder.mkdir()
        (self.folder / "mosquitto.conf").write_text(
            "listener 1883 127.0.0.1\nallow_anonymous true\npersistence true\nmax_queued_messages 0\n"
            f"persistence_location {self.folder}/\nlog_type all\nlog_timestamp_format %s\nuser root\n")
        self.start()

    def start(self):
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(
                ["mosquitto", "-c", f"{self.folder}/mosquitto.conf"], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait("the broker", lambda: subprocess.run(
            ["mosquitto_pub", "-h", "127.0.0.1", "-t", "witness/up", "-n"], stderr=subprocess.DEVNULL).returncode == 0)

    def stop(self):
        self.process.terminate()
        self.process.wait(60)

    def forget(self):
        """All that it kept."""
        (self.folder / "mosquitto.db").unlink()

    def log(self):
        return (self.folder / "log").read_text(errors="replace")

    def retained(self, topic):
        """What it has kept, by topic. A message that is not kept, and comes last, says that it was all."""
        end = f"witness/{time.monotonic_ns()}"
        listener = subprocess.Popen(
            ["mosquitto_sub", "-h", "127.0.0.1", "-q", "1", "-t", topic, "-t", end, "-F", "%r\t%t\t%p"],
            stdout=subprocess.PIPE, text=True)
        stop = threading.Event()

        def knock():
            while not stop.wait(0.2):
                publish(end, "")
        knocking = threading.Thread(target=knock)
        knocking.start()
        kept = {}
        try:
            for line in listener.stdout:
                is_retained, name, payload = line.rstrip("\n").split("\t", 2)
                if name == end:
                    break
                if is_retained == "1":
                    kept[name] = payload
        finally:
            stop.set()
            knocking.join()
            listener.kill()
            listener.wait()
        return kept


def publish(topic, payload, *options):
    subprocess.run(["mosquitto_pub", "-h", "127.0.0.1", "-q", "1", "-t", topic, "-m", payload, *options], check=True)


class Witness:
    """All that the broker passes on, with the time when it did."""

    def __init__(self, folder):
        self.messages = []
        self.process = subprocess.Popen(
            ["mosquitto_sub", "-h", "127.0.0.1", "-q", "1", "-t", "#", "-F", "%U\t%r\t%t\t%p"],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, errors="replace")
        self.file = open(f"{folder}/messages.log", "w")
        threading.Thread(target=self.read, daemon=True).start()
        # It may take a while until it is subscribed.
        wait("the witness", lambda: publish("witness/here", "") or self.messages)

    def read(self):
        for line in self.process.stdout:
            self.file.write(line)
            self.file.flush()
            parts = line.rstrip("\n").split("\t", 3)
            if len(parts) == 4:
                self.messages.append((float(parts[0]), parts[1] == "1", parts[2], parts[3]))

    def since(self, begin, topic=None):
        """What came live."""
        return [message for message in list(self.messages)
                if message[0] >= begin and not message[1] and topic in (None, message[2])]

    def stop(self):
        self.process.kill()
        self.process.wait()


class Line:
    """What one board reaches the broker through, so that it alone can be cut off."""

    def __init__(self, port):
        self.port, self.ends = port, []
        self.mend()

    def mend(self):
        self.listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self.accept, args=[self.listener], daemon=True).start()

    def accept(self, listener):
        try:
            while True:
                near = listener.accept()[0]
                far = socket.create_connection(("127.0.0.1", 1883))
                self.ends += [near, far]
                for one, other in ((near, far), (far, near)):
                    threading.Thread(target=self.carry, args=[one, other], daemon=True).start()
        except OSError:
            pass

    def carry(self, one, other):
        try:
            while data := one.recv(65536):
                other.sendall(data)
        except OSError:
            pass
        for end in (one, other):
            end.close()

    def cut(self):
        for end in [self.listener, *self.ends]:
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            end.close()
        self.ends = []


class Board:
    """limpet on a board of its own."""

    def __init__(self, program, folder, id, sensors=(), inputs=(), outputs=(), **settings):
        """settings: further lines at the top level."""
        self.program, self.device = program, id
        self.folder = pathlib.Path(folder)
        self.folder.mkdir()
        self.tree = Tree(self.folder / "root").whole(id)
        self.sensors, self.inputs, self.outputs = list(sensors), list(inputs), list(outputs)
        self.settings = {"device": f"{{id: {id}}}", "homeassistant": "{enabled: true}", **settings}
        self.process, self.port = None, 1883

    @property
    def configuration(self):
        return self.folder / "limpet.yaml"

    def write(self):
        lines = [f"{key}: {value}" for key, value in self.settings.items()]
        lines += ["broker:", f"  url: mqtt://127.0.0.1:{self.port}", "  reconnect: {min: 200ms, max: 1s}",
                  f"storage: {{path: {self.folder}/storage}}"]
        for key, entries in {"inputs": self.inputs, "sensors": self.sensors, "outputs": self.outputs}.items():
            if entries:
                lines += [f"{key}:"] + [f"  - {entry}" for entry in entries]
        self.configuration.write_text("\n".join(lines) + "\n")
        self.configuration.chmod(0o600)

    def run(self, *arguments):
        return subprocess.run(
            [self.program, arguments[0], "--config", self.configuration, *arguments[1:]], capture_output=True,
            text=True, timeout=120)

    def check(self):
        self.write()
        return self.run("check", "--offline", "--root", self.tree.folder)

    def start(self):
        self.write()
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(
                [self.program, "run", "--config", self.configuration, "--root", self.tree.folder, "--log-level",
                 "debug"], stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def reload(self):
        """What limpet says has changed."""
        self.write()
        outcome = self.run("reload")
        assert outcome.returncode == 0, f"reload: {outcome.stdout}{outcome.stderr}"
        return outcome.stdout.split("\n")[:-1]

    def end(self, sign=signal.SIGTERM):
        if self.process is None:
            return
        self.process.send_signal(sign)
        self.process.wait(60)
        self.process = None

    def log(self):
        return (self.folder / "log").read_text(errors="replace")

    def topic(self, name):
        return f"limpet/{self.device}/{name}"
