"""Boards that are folders, for `limpet --root`."""

import pathlib
import zlib


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
