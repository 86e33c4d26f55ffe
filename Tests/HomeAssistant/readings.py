"""What a board measures, and what Home Assistant has to make of it: state, unit, class and class of the state."""

import dataclasses


@dataclasses.dataclass
class Expected:
    """One entity."""
    state: str
    unit: str | None = None
    device_class: str | None = None
    state_class: str | None = "measurement"
    kind: str = "sensor"

    def problem(self, entity):
        """What an entity has instead; nothing: it is as expected."""
        if entity is None:
            return "is not there"
        attributes = entity["attributes"]
        problems = [] if is_same(entity["state"], self.state) else [f"is {entity['state']}, not {self.state}"]
        found = {
            # Since 2025.8 it makes one of the two characters for micro of the other.
            "kind": entity["entity_id"].split(".")[0],
            "unit": (attributes.get("unit_of_measurement") or "").replace("\u03bc", "\u00b5") or None,
            "device_class": attributes.get("device_class"), "state_class": attributes.get("state_class")}
        for name, value in found.items():
            wanted = getattr(self, name)
            if value != wanted:
                problems.append(f"{name} {value}, not {wanted}")
        return ", ".join(problems)


def is_same(found, wanted):
    if wanted == "*":
        return found not in (None, "unknown", "unavailable")
    try:
        return abs(float(found) - float(wanted)) < 1e-6
    except (TypeError, ValueError):
        return found == wanted


def text(state):
    return Expected(state, state_class=None)


# Read at the start and then once an hour: who misses a value will not see it again soon.
HOURLY = "interval: 1h"

SOURCES = {
    "thermal": [
        (f"{{name: cpu_temperature, type: thermal, zone: cpu-thermal, {HOURLY}}}",
         {"cpu_temperature": Expected("40.5", "°C", "temperature")}),
        (f"{{name: cpu_limit, type: thermal, zone: cpu-thermal, attribute: trip_point_0_temp, {HOURLY}}}",
         {"cpu_limit": Expected("80", "°C", "temperature")}),
        (f"{{name: cpu_policy, type: thermal, zone: cpu-thermal, attribute: policy, {HOURLY}}}",
         {"cpu_policy": text("step_wise")}),
    ],
    "hwmon": [
        *((f"{{name: h_{channel}, type: hwmon, chip: board, channel: {channel}, {HOURLY}}}",
           {f"h_{channel}": expected})
          for channel, expected in {
              "temp1": Expected("31.25", "°C", "temperature"), "in0": Expected("3.301", "V", "voltage"),
              "curr1": Expected("0.512", "A", "current"), "power1": Expected("1.25", "W", "power"),
              "energy1": Expected("3.6", "J", "energy", "total_increasing"),
              "humidity1": Expected("45.3", "%", "humidity"), "fan1": Expected("2411", "rpm"),
              "freq1": Expected("1500000", "Hz", "frequency")}.items()),
        (f"{{name: h_both, type: hwmon, chip: board, channels: [temp1, humidity1], {HOURLY}}}",
         {"h_both/temp1": Expected("31.25", "°C", "temperature"),
          "h_both/humidity1": Expected("45.3", "%", "humidity")}),
        (f"{{name: h_max, type: hwmon, chip: board, attribute: temp1_max, {HOURLY}}}",
         {"h_max": Expected("70", "°C", "temperature")}),
        (f"{{name: h_alarm, type: hwmon, chip: board, attribute: fan1_alarm, {HOURLY}}}",
         {"h_alarm": Expected("off", None, "problem", None, "binary_sensor")}),
    ],
    "iio": [
        (f"{{name: i_soil, type: iio, device: ads1015, channel: in_voltage0, {HOURLY}}}",
         {"i_soil": Expected("3.321", "V", "voltage")}),
        *((f"{{name: i_{channel}, type: iio, device: air, channel: in_{channel}, {HOURLY}}}",
           {f"i_{channel}": expected})
          for channel, expected in {
              "temp": Expected("21.5", "°C", "temperature"), "humidityrelative": Expected("45.3", "%", "humidity"),
              "pressure": Expected("1013.25", "hPa", "pressure"), "illuminance": Expected("320.5", "lx", "illuminance"),
              "concentration_co2": Expected("415", "ppm", "carbon_dioxide"),
              "concentration_voc": Expected("1", "ppm", "volatile_organic_compounds_parts"),
              "massconcentration_pm2p5": Expected("12.3", "µg/m³", "pm25"),
              "distance": Expected("0.84", "m", "distance"), "resistance": Expected("1024", "Ω"),
              "colortemp": Expected("4000", "K"), "accel_x": Expected("-512", "m/s²")}.items()),
        (f"{{name: i_both, type: iio, device: air, channels: [in_temp, in_pressure], {HOURLY}}}",
         {"i_both/in_temp": Expected("21.5", "°C", "temperature"),
          "i_both/in_pressure": Expected("1013.25", "hPa", "pressure")}),
    ],
    "w1": [
        (f"{{name: w_tank, type: w1, id: 28-0316a2795bff, {HOURLY}}}",
         {"w_tank": Expected("23.125", "°C", "temperature")}),
        (f"{{name: w_solar, type: w1, id: 26-00000191ec09, attribute: vad, {HOURLY}}}",
         {"w_solar": Expected("5.12", "V", "voltage")}),
    ],
    "power_supply": [
        *((f"{{name: p_{name}, type: power_supply, supply: BAT0, property: {name}, {HOURLY}}}", {f"p_{name}": expected})
          for name, expected in {
              "capacity": Expected("87", "%", "battery"), "voltage_now": Expected("12.034", "V", "voltage"),
              "current_now": Expected("-0.512", "A", "current"), "power_now": Expected("9.876", "W", "power"),
              "energy_now": Expected("48.32", "Wh", "energy_storage"), "charge_now": Expected("2.4", "Ah"),
              "temp": Expected("31.2", "°C", "temperature"), "time_to_empty_now": Expected("5400", "s", "duration"),
              "status": text("Discharging")}.items()),
        (f"{{name: p_both, type: power_supply, supply: BAT0, properties: [capacity, voltage_now], {HOURLY}}}",
         {"p_both/capacity": Expected("87", "%", "battery"), "p_both/voltage_now": Expected("12.034", "V", "voltage")}),
    ],
    "system": [
        (f"{{name: s_load, type: system, value: load1, {HOURLY}}}", {"s_load": Expected("0.25")}),
        (f"{{name: s_uptime, type: system, value: uptime, {HOURLY}}}",
         {"s_uptime": Expected("12345.67", "s", "duration")}),
        (f"{{name: s_memory, type: system, value: memory_available, {HOURLY}}}",
         {"s_memory": Expected("2147483648", "B", "data_size")}),
        (f"{{name: s_boot, type: system, value: boot_time, {HOURLY}}}",
         {"s_boot": Expected("2026-05-28T20:26:40+00:00", None, "timestamp", None)}),
        (f"{{name: s_disk, type: system, value: disk_free, path: /, {HOURLY}}}",
         {"s_disk": Expected("*", "B", "data_size")}),
        (f"{{name: s_received, type: system, value: rx_bytes, interface: eth0, {HOURLY}}}",
         {"s_received": Expected("123456", "B", "data_size", "total_increasing")}),
        (f"{{name: s_link, type: system, value: operstate, interface: eth0, {HOURLY}}}", {"s_link": text("up")}),
        (f"{{name: s_read_only, type: system, value: read_only, path: /, {HOURLY}}}",
         {"s_read_only": Expected("off", None, "problem", None, "binary_sensor")}),
    ],
    "file": [
        (f"{{name: f_number, type: file, path: /run/number, unit: lx, {HOURLY}}}",
         {"f_number": Expected("42", "lx", "illuminance")}),
        (f"{{name: f_level, type: file, path: /run/tank, match: 'level: ([0-9]+)', unit: mm, {HOURLY}}}",
         {"f_level": Expected("812", "mm", "distance")}),
        (f"{{name: f_mode, type: file, path: /run/mode, map: {{'1': idle, '2': heating}}, {HOURLY}}}",
         {"f_mode": Expected("heating", None, "enum", None)}),
        # Moves, or is silent: nothing but the first reading comes by itself.
        ("{name: f_still, type: file, path: /run/number, change: 0.5, interval: 1s}", {"f_still": Expected("42")}),
    ],
}

SENSORS = [sensor for source in SOURCES.values() for sensor, _ in source]
EXPECTED = {id: expected for source in SOURCES.values() for _, entities in source for id, expected in entities.items()}

OUTPUTS = [
    "{name: strip, type: led, led: strip}",
    "{name: lamp, type: led, led: lamp, homeassistant: {as: light}}",
    "{name: cooling, type: fan, chip: pwmfan, channel: pwm1}",
]

# Beside the sources: what an entry can say of its entity, and what is looked at alone.
PRESENTED = [
    "{name: l_case, type: hwmon, chip: board, label: Case, interval: 1h}",
    "{name: l_five, type: hwmon, chip: board, label: Five volts, interval: 1h}",
    "{name: l_supply, type: iio, device: ads1015, label: supply, interval: 1h}",
    "{name: p_online, type: power_supply, supply: BAT0, property: online, interval: 1h}",
    "{name: p_present, type: power_supply, supply: BAT0, property: present, interval: 1h}",
    "{name: f_none, type: file, path: /run/text, text: true, interval: 1h}",
    "{name: front, type: file, path: /run/number, interval: 1h, title: Front door, "
    "homeassistant: {class: door, icon: 'mdi:door', category: diagnostic, as: binary_sensor}}",
    "{name: hidden, type: file, path: /run/number, interval: 1h, homeassistant: {enabled: false}}",
    "{name: precise, type: file, path: /run/number, unit: V, interval: 1h, homeassistant: {precision: 2}}",
    "{name: kept, type: file, path: /run/number, unit: lx, interval: 1h, retain: true}",
    "{name: fast, type: file, path: /run/fast, interval: 200ms}",
]
INPUTS = [
    "{name: water, line: GPIO4, mode: counter, scale: 0.5, unit: L}",
    "{name: gas, line: GPIO5, mode: counter, scale: 0.01, unit: m³}",
    "{name: meter, line: GPIO6, mode: counter, scale: 0.001, unit: kWh}",
    "{name: door, line: GPIO17, homeassistant: {class: door}}",
    "{name: button, line: GPIO18, mode: gesture}",
]
UNIT_OF = {}


def unit_entries(measured, counted):
    """A file for every unit that goes up and down, a counter for each that only goes up."""
    sensors, inputs = [], []
    for index, unit in enumerate(measured):
        UNIT_OF[f"m{index}"] = unit
        sensors.append(f'{{name: m{index}, type: file, path: /run/number, unit: "{unit}", interval: 1h}}')
    for index, unit in enumerate(counted):
        UNIT_OF[f"t{index}"] = unit
        inputs.append(f'{{name: t{index}, line: GPIO{index}, mode: counter, unit: "{unit}"}}')
    return sensors, inputs
