import Testing

@testable import Agent

/// Every table row is what stands behind `minimalConfiguration`
/// (so from line 3 on; two spaces in: still in `broker`) and all that
/// is printed for it.
struct WrongConfigurationTests {
  @Test(
    "keys that do not exist are reported at the key, with what was meant",
    arguments: [
      ("  keepalve: 3s\n", ["3:3: broker.keepalve: unknown key; did you mean \"keepalive\"?"]),
      ("  keep-alive: 3s\n", ["3:3: broker.keep-alive: unknown key; did you mean \"keepalive\"?"]),
      ("  Client-ID: x\n", ["3:3: broker.Client-ID: unknown key; did you mean \"client_id\"?"]),
      ("keepalive: 3s\n", ["3:1: keepalive: unknown key; did you mean \"broker.keepalive\"?"]),
      ("tpoic: x\n", ["3:1: tpoic: unknown key; did you mean \"topic\"?"]),
      (
        "storage: {colour: red}\n",
        ["3:11: storage.colour: unknown key; the keys here are max_size, path, sync"]
      ),
      (
        "sensors:\n  - {name: a, type: hwmon, zone: z, chip: c, channel: temp1}\n",
        ["4:28: sensors[0].zone: belongs to type thermal, not hwmon; remove it"]
      ),
      (
        "sensors:\n  - {name: a, type: thermal, zone: x, path: /a}\n",
        ["4:39: sensors[0].path: belongs to type system or file, not thermal; remove it"]
      ),
      (
        "sensors:\n  - {name: a, type: system, value: load1, path: /}\n",
        ["4:43: sensors[0].path: belongs to value disk_free or disk_used, not load1; remove it"]
      ),
      (
        "sensors:\n  - {name: a, type: termal, zone: x}\n",
        ["4:21: sensors[0].type: \"termal\" is not known; did you mean \"thermal\"?"]
      ),
    ])
  func unknown(text: String, expected: [String]) {
    expectRefused(minimalConfiguration + text, expected)
  }

  @Test(
    "values that are not of the key's kind are reported at the value",
    arguments: [
      ("  keepalive: 30\n", ["3:14: broker.keepalive: \"30\" has no unit; write 30s"]),
      ("  keepalive: 1.5s\n", ["3:14: broker.keepalive: \"1.5s\" is not whole seconds; MQTT counts it in seconds"]),
      ("  keepalive: 20h\n", ["3:14: broker.keepalive: \"20h\" is out of range; write 0s to 18h12m15s"]),
      (
        "  keepalive: [1s]\n",
        ["3:14: broker.keepalive: a list stands where a single value is expected; write a duration, such as 30s"]
      ),
      (
        "  keepalive:\n",
        ["3:13: broker.keepalive: has no value; write a duration, such as 30s, or remove the key"]
      ),
      (
        "  session_expiry: forever\n",
        [
          "3:19: broker.session_expiry: \"forever\" is not a duration; write a number and a unit "
            + "(us ms s m h d w), such as 30s or 1h30m, or never"
        ]
      ),
      ("  shutdown_timeout: 0\n", ["3:21: broker.shutdown_timeout: \"0\" is out of range; write 1ms to 1h"]),
      ("  version: 4\n", ["3:12: broker.version: \"4\" is not known; write auto, 5 or 3.1.1"]),
      (
        "  clean_start: maybe\n",
        ["3:16: broker.clean_start: \"maybe\" is neither true nor false; write true or false"]
      ),
      ("presence: {lease: 100ms}\n", ["3:19: presence.lease: \"100ms\" is out of range; write 0s, or 1s to 7d"]),
      ("presence: {qos: 3}\n", ["3:17: presence.qos: 3 is out of range; write a whole number from 0 to 2"]),
      ("qos: one\n", ["3:6: qos: \"one\" is not a whole number; write a whole number from 0 to 2"]),
      ("presence: {online: ''}\n", ["3:20: presence.online: empty; write at least one character"]),
      ("storage: {max_size: 64}\n", ["3:21: storage.max_size: \"64\" has no unit; write 64MB, or 64B for bytes"]),
      ("storage: {max_size: 1kB}\n", ["3:21: storage.max_size: \"1kB\" is out of range; write 1MB to 1000GB"]),
      (
        "storage: {path: var}\n",
        ["3:17: storage.path: \"var\" is not absolute; write the whole path, from \"/\" on"]
      ),
      ("device: {id: a/b}\n", ["3:14: device.id: \"a/b\" is not a name; write 1 to 64 of A-Z a-z 0-9 . _ -"]),
      (
        "device: {id: \(String(repeating: "x", count: 65))}\n",
        ["3:14: device.id: 65 characters long; write at most 64"]
      ),
      ("format: xml\n", ["3:9: format: \"xml\" is not known; write json or plain"]),
      (
        "control: /\(String(repeating: "x", count: 107))\n",
        ["3:10: control: 108 bytes long; a socket's path has at most 107"]
      ),
      (
        "sensors:\n  - {name: a, type: thermal, zone: a/b, change: 0, scale: 0, offset: nan}\n",
        [
          "4:36: sensors[0].zone: \"a/b\" is a path; write the name alone",
          "4:49: sensors[0].change: \"0\" is not above zero; leave the key out for every sample",
          "4:59: sensors[0].scale: 0 would make every reading 0; write another factor",
          "4:70: sensors[0].offset: \"nan\" is not a number; write one such as 0.5, -3 or 1e-3",
        ]
      ),
      (
        "sensors:\n  - {name: a, type: hwmon, chip: c, channel: temp1_input}\n",
        ["4:46: sensors[0].channel: \"temp1_input\" is not a channel; write temp1"]
      ),
      (
        "sensors:\n  - {name: a, type: file, path: /a, match: '(', round: 10, timeout: 6m, average: mode}\n",
        [
          "4:44: sensors[0].match: \"(\" is not a POSIX extended regular expression: Unmatched ( or \\(; correct it",
          "4:56: sensors[0].round: 10 is out of range; write a whole number from 0 to 9",
          "4:69: sensors[0].timeout: \"6m\" is out of range; write 10ms to 5m",
          "4:82: sensors[0].average: \"mode\" is not known; write mean, median, min or max",
        ]
      ),
      (
        "sensors:\n  - {name: a, type: file, path: /a, map: {}, range: 5}\n",
        [
          "4:42: sensors[0].map: write 1 to 256 texts and what they stand for, such as {\"open\": 1, \"closed\": 0}",
          "4:53: sensors[0].range: a single value stands where keys are expected; write \"key: value\" lines, "
            + "with a space behind each colon",
        ]
      ),
      (
        "sensors:\n  - {name: a, type: hwmon, chip: c, channels: [temp1, temp1_input, temp1]}\n",
        [
          "4:55: sensors[0].channels[1]: \"temp1_input\" is not a channel; write temp1",
          "4:68: sensors[0].channels[2]: \"temp1\" is in the list already; remove it",
        ]
      ),
      (
        "sensors:\n  - {name: a, type: w1, id: 28-03}\n",
        [
          "4:29: sensors[0].id: \"28-03\" is not a 1-Wire id; write 2 hex digits, \"-\" and 12 more, "
            + "such as 28-0316a2795bff"
        ]
      ),
      (
        "sensors:\n  - {name: a, type: thermal, zone: x, interval: 1ms}\n",
        ["4:49: sensors[0].interval: \"1ms\" is out of range; write 10ms to 7d"]
      ),
      (
        "inputs: [{name: a b, line: 99999, pull: Up, debounce: 20}]\n",
        [
          "3:17: inputs[0].name: \"a b\" is not a name; write 1 to 64 of A-Z a-z 0-9 . _ -",
          "3:28: inputs[0].line: \"99999\" is no offset of a chip; write 0 to 65535, or a line's name",
          "3:41: inputs[0].pull: \"Up\" is not known; did you mean \"up\"?",
          "3:55: inputs[0].debounce: \"20\" has no unit; write 20ms",
        ]
      ),
      (
        "inputs: {name: a}\n",
        ["3:9: inputs: a mapping of keys stands where a list is expected; begin each entry with \"- \""]
      ),
      (
        "storage: /var\n",
        [
          "3:10: storage: a single value stands where keys are expected; write \"key: value\" lines, "
            + "with a space behind each colon"
        ]
      ),
    ])
  func kinds(text: String, expected: [String]) {
    expectRefused(minimalConfiguration + text, expected)
  }

  @Test(
    "what is missing is reported at the first key of its mapping",
    arguments: [
      ("", "1:1: broker.url: missing; write the broker's address, such as mqtt://mqtt.example.com"),
      ("# nothing\n", "1:1: broker.url: missing; write the broker's address, such as mqtt://mqtt.example.com"),
      (
        "\n\nqos: 1\ndevice: {}\n",
        "3:1: broker.url: missing; write the broker's address, such as mqtt://mqtt.example.com"
      ),
      (
        "qos: 1\nbroker:\n  # the house\n  username: x\n  keepalive: 5s\n",
        "4:3: broker.url: missing; write the broker's address, such as mqtt://mqtt.example.com"
      ),
      ("qos: 1\nbroker:\n", "2:1: broker.url: missing; write the broker's address, such as mqtt://mqtt.example.com"),
      (
        "broker:\n  url:\n",
        "2:7: broker.url: has no value; write the broker's address, such as mqtt://mqtt.example.com"
      ),
      (
        minimalConfiguration + "sensors:\n  - {name: a}\n",
        "4:6: sensors[0].type: missing; write thermal, hwmon, iio, w1, power_supply, system or file"
      ),
      (
        minimalConfiguration + "sensors:\n  - zone: x\n    type: thermal\n",
        "4:5: sensors[0].name: missing; write what the reading is called, such as cpu_temperature"
      ),
      (
        minimalConfiguration + "sensors:\n  - {name: a, type: hwmon, chip: c}\n",
        "4:6: sensors[0].channel: missing; write the channel, such as temp1, or the label of one"
      ),
      (
        minimalConfiguration + "sensors:\n  - {name: a, type: system, value: disk_free}\n",
        "4:6: sensors[0].path: missing; write a path on the file system, such as /"
      ),
      (
        minimalConfiguration + "sensors:\n  - {name: a, type: system, value: rx_bytes}\n",
        "4:6: sensors[0].interface: missing; write the interface, such as wlan0"
      ),
      (
        minimalConfiguration + "sensors:\n  - {name: a, type: iio, device: d}\n",
        "4:6: sensors[0].channel: missing; write the channel, such as in_voltage0"
      ),
      (
        minimalConfiguration + "sensors:\n  - {name: a, type: power_supply, supply: BAT0}\n",
        "4:6: sensors[0].property: missing; write the property, such as capacity"
      ),
      (
        minimalConfiguration + "sensors:\n  - {name: a, type: thermal, zone: z, average: mean}\n",
        "4:6: sensors[0].window: missing; write how long average looks back, such as 1m"
      ),
      (
        minimalConfiguration + "sensors:\n  - {name: a, type: thermal, zone: z, range: {}}\n",
        "4:39: sensors[0].range.min: missing; write min, max or both"
      ),
    ])
  func missing(text: String, expected: String) {
    expectRefused(text, [expected])
  }

  @Test(
    "conflicts are reported at the later key, reversed bounds at min",
    arguments: [
      (
        "  reconnect: {max: 2m, min: 3m}\n",
        ["3:24: broker.reconnect.min: min 3m is longer than max 2m; raise max or lower min"]
      ),
      (
        "  reconnect: {max: 500ms}\n",
        ["3:15: broker.reconnect.max: min 1s is longer than max 500ms; raise max or lower min"]
      ),
      (
        "  clean_start: no\n  client_id: ''\n",
        ["4:3: broker.client_id: an empty client_id needs clean_start: true; write an id, or auto for the device's"]
      ),
      (
        "  client_id: ''\n  clean_start: no\n",
        ["4:3: broker.clean_start: an empty client_id needs clean_start: true; write an id, or auto for the device's"]
      ),
      ("  tls: {insecure: yes}\n", ["3:3: broker.tls: tls is set, but no URL uses it; write mqtts:// or remove tls"]),
      (
        "  version: 3.1.1\n  password: x\n",
        ["4:3: broker.password: MQTT 3.1.1 has no password without a user name; write username, or version: auto"]
      ),
      (
        "presence: {offline: x, online: x}\n",
        ["3:24: presence.online: online and offline are the same payload; write two that differ"]
      ),
      (
        "presence: {online: offline}\n",
        ["3:12: presence.online: online and offline are the same payload; write two that differ"]
      ),
      (
        "presence: {will_delay: 7d}\n",
        [
          "3:12: presence.will_delay: will_delay 7d is not shorter than session_expiry 7d, and the will goes out when "
            + "the session ends; write a shorter one"
        ]
      ),
      (
        "  clean_start: yes\npresence: {will_delay: 1s}\n",
        [
          "4:12: presence.will_delay: will_delay has no meaning with clean_start: true, as every connection ends the "
            + "session; remove one of them"
        ]
      ),
      (
        "  version: '3.1.1'\npresence: {will_delay: 1s, lease: 1m}\n",
        [
          "4:12: presence.will_delay: MQTT 3.1.1 has no will_delay; remove it, or write version: auto",
          "4:28: presence.lease: MQTT 3.1.1 has no lease; remove it, or write version: auto",
        ]
      ),
      (
        "inputs: [{name: a, line: G, chip: x}, {name: b, line: G}]\n",
        [
          "3:49: inputs[1].line: the line is already used on line 3; write another, or remove one of the entries"
        ]
      ),
      (
        "inputs: [{name: a, line: 4, interval: 1s}]\n",
        [
          "3:29: inputs[0].interval: interval belongs to mode counter, not state; remove it, or write mode: counter"
        ]
      ),
      (
        "sensors:\n  - {name: a, type: hwmon, chip: c, label: x, channel: temp1}\n",
        ["4:47: sensors[0].channel: channel and label both name a channel; remove one of them"]
      ),
      (
        "sensors:\n  - {name: a, type: thermal, zone: z, max_age: 1s, interval: 5s}\n",
        ["4:52: sensors[0].interval: max_age 1s is shorter than interval 5s; write a longer max_age"]
      ),
      (
        "sensors:\n  - {name: a, type: thermal, zone: z, window: 1m}\n",
        ["4:39: sensors[0].window: a window needs an average; write mean, median, min or max beside it"]
      ),
      (
        "sensors:\n  - {name: a, type: thermal, zone: z, average: min, window: 5s}\n",
        ["4:53: sensors[0].window: window 5s is shorter than interval 10s; write a longer window"]
      ),
      (
        "sensors:\n  - {name: a, type: thermal, zone: z, average: min, window: 5m, interval: 10ms}\n",
        [
          "4:65: sensors[0].interval: window 5m has more than 10000 intervals; "
            + "write a longer interval or a shorter window"
        ]
      ),
      (
        "sensors:\n  - {name: a, type: thermal, zone: z, range: {max: 1, min: 2}}\n",
        ["4:55: sensors[0].range.min: min 2 is more than max 1; raise max or lower min"]
      ),
      (
        "sensors:\n  - {name: a, type: iio, device: d, channel: in_temp, channels: [in_temp], scale: 2, unit: x}\n",
        [
          "4:55: sensors[0].channels: channels takes the place of this key; remove one of them",
          "4:76: sensors[0].scale: has no meaning for several channels at once; remove it, or give each its own entry",
          "4:86: sensors[0].unit: has no meaning for several channels at once; remove it, or give each its own entry",
        ]
      ),
      (
        "sensors:\n  - {name: a, type: system, value: rx_bytes, interface: eth0, device: mmcblk0}\n",
        ["4:63: sensors[0].device: belongs to value life_time, not rx_bytes; remove it"]
      ),
      (
        "  keepalive: 5s\n  keepalive: 6s\n",
        ["4:3: duplicate key \"keepalive\"; it is already set on line 3; remove one of them"]
      ),
    ])
  func conflicts(text: String, expected: [String]) {
    expectRefused(minimalConfiguration + text, expected)
  }

  @Test("a conflict across sections is reported at the later section's key")
  func acrossSections() {
    expectRefused(
      "presence: {will_delay: 1s}\n" + minimalConfiguration + "  clean_start: true\n",
      [
        "4:3: broker.clean_start: will_delay has no meaning with clean_start: true, as every connection ends the "
          + "session; remove one of them"
      ])
    expectRefused(
      "broker:\n  tls: {insecure: true}\n  url: [mqtt://a, mqtt://b]\n",
      ["3:3: broker.url: tls is set, but no URL uses it; write mqtts:// or remove tls"])
  }

  @Test("files that are named must be readable")
  func namedFiles() {
    expectRefused(
      "broker:\n  url: mqtts://h\n  tls: {key: k.pem, certificate: no.pem, ca: denied}\n",
      [
        "3:34: broker.tls.certificate: \"/etc/limpet/no.pem\" cannot be read: No such file or directory; create it, "
          + "or correct the path",
        "3:46: broker.tls.ca: \"/etc/limpet/denied\" cannot be read: Permission denied; let the user that runs limpet "
          + "read it",
      ])
    expectRefused(
      "broker:\n  url: mqtts://h\n  tls: {certificate: c.pem}\n",
      ["3:9: broker.tls.certificate: a certificate needs its key; write key beside it"])
    expectRefused(
      "broker:\n  url: mqtts://h\n  tls: {key: k.pem}\n",
      ["3:9: broker.tls.key: a key needs its certificate; write certificate beside it"])
  }

  @Test("a syntax error is all that is reported: the rest may mean something else")
  func syntax() {
    expectRefused(minimalConfiguration + "colour: 3\n\tx: 1\n", ["4:1: a tab; YAML indents with spaces only"])
    expectRefused(
      minimalConfiguration + "colour: 3\nqos: 'x\n",
      ["5:1: the quotes that open on line 4 are never closed; close them"])
  }

  @Test("all errors are reported at once, by position, a wrong value starting no further rule")
  func everything() {
    expectRefused(
      """
      - not
      - a mapping

      """,
      ["1:1: a list stands where keys are expected; write \"key: value\" lines, with a space behind each colon"])
    expectRefused(
      """
      qos: 7
      sensors:
        - {name: a, type: thermal, zone: z, interval: fast, max_age: 1s}
      broker:
        url: mqtt://h
        reconnect: {min: 3m, max: soon}
      colour: red

      """,
      [
        "1:6: qos: 7 is out of range; write a whole number from 0 to 2",
        "3:49: sensors[0].interval: \"fast\" is not a duration; write a number and a unit (us ms s m h d w), such as "
          + "30s or 1h30m",
        "6:29: broker.reconnect.max: \"soon\" is not a duration; write a number and a unit (us ms s m h d w), such as "
          + "30s or 1h30m",
        "7:1: colour: unknown key; the keys here are broker, control, device, format, include, inputs, presence, qos, "
          + "sensors, storage, topic",
      ])
  }
}
