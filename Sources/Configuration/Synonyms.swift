import LimpetText
import YAML

/// Words of other programs, and their equivalents here: these are closer to the intention than keys that only look
/// alike.
enum Synonyms {
  /// - Parameters:
  ///   - word: a key that is not known.
  ///   - path: the mapping it stands in, such as `broker.tls` or `inputs[2]`.
  /// - Returns: what to write instead; nil: unknown.
  static func advice(for word: String, in path: String) -> String? {
    let place = path.replacingIndices
    let folded = fold(word)
    return table[place]?[folded] ?? (path.hasSuffix("]") ? entries[folded] : nil)
  }

  /// Without case, `-`, `_` and spaces.
  static func fold(_ word: String) -> String { word.lowercased().filter { !"-_ ".contains($0) } }

  private static let url = "write url: mqtt://HOST, or mqtts://HOST for TLS, with the broker's name or address"
  private static let port = "the port is part of url, as in url: mqtt://HOST:1883"
  private static let topics = "where readings go is topic at the top level, as in topic: home/{device}/{name}"

  private static let table: [String: [String: String]] = [
    "": [
      "mqtt": "write broker", "server": "write broker", "host": "write broker: {url: mqtt://HOST}",
      "hostname": "write broker: {url: mqtt://HOST}", "port": "write broker: {url: mqtt://HOST:1883}",
      "user": "write broker.username", "gpio": "write inputs", "gpios": "write inputs", "pins": "write inputs",
      "digitalinputs": "write inputs", "binarysensor": "write inputs", "binarysensors": "write inputs",
      "gpiomodules": "write inputs, whose entries have a line; or `limpet import mqtt-io FILE`",
      "sensormodules": "write sensors; or `limpet import mqtt-io FILE`",
      "sensorinputs": "write sensors; or `limpet import mqtt-io FILE`",
      "digitaloutputs": "write outputs", "switches": "write outputs", "switch": "write outputs",
      "relays": "write outputs",
      "basetopic": "write topic, as in topic: home/{device}/{name}",
      "topicprefix": "write topic, as in topic: home/{device}/{name}",
      "prefix": "write topic, as in topic: home/{device}/{name}",
      "logging": "the log level is an option: limpet run --log-level debug",
      "loglevel": "the log level is an option: limpet run --log-level debug",
      "logger": "the log level is an option: limpet run --log-level debug",
      "discovery": "write homeassistant: {enabled: true}", "hass": "write homeassistant",
      "ha": "write homeassistant", "interval": "each sensor has an interval of its own",
      "updateinterval": "each sensor has an interval of its own",
      "retain": "each sensor and input has retain of its own",
      "availability": "write presence", "lwt": "write presence", "will": "write presence", "buffer": "write storage",
      "prometheus": "write metrics: {listen: 127.0.0.1:9480}",
    ],
    "broker": [
      "host": url, "hostname": url, "server": url, "address": url, "addr": url, "ip": url, "broker": url, "uri": url,
      "port": port, "user": "write username", "login": "write username", "pass": "write password",
      "passwd": "write password", "pwd": "write password", "pw": "write password", "id": "write client_id",
      "ssl": "TLS is url: mqtts://HOST", "usetls": "TLS is url: mqtts://HOST", "secure": "TLS is url: mqtts://HOST",
      "cafile": "write tls: {ca: FILE}", "cacert": "write tls: {ca: FILE}", "cacerts": "write tls: {ca: FILE}",
      "certfile": "write tls: {certificate: FILE}", "keyfile": "write tls: {key: FILE}",
      "topicprefix": topics, "prefix": topics, "basetopic": topics, "topic": topics,
      "qos": "qos of readings stands at the top level", "retain": "each sensor and input has retain of its own",
      "timeout": "write connect_timeout", "protocol": "write version", "protocolversion": "write version",
      "cleansession": "write clean_start", "clean": "write clean_start", "will": "write presence at the top level",
      "discovery": "write homeassistant: {enabled: true} at the top level",
      "reconnectdelay": "write reconnect: {min: 1s, max: 2m}",
      "websocket": "WebSocket is url: ws://HOST, or wss://HOST",
    ],
    "broker.tls": [
      "cafile": "write ca", "cacert": "write ca", "cacerts": "write ca", "capath": "write ca",
      "cert": "write certificate",
      "certfile": "write certificate", "clientcert": "write certificate", "crt": "write certificate",
      "keyfile": "write key", "clientkey": "write key", "privatekey": "write key",
      "enabled": "TLS is url: mqtts://HOST in broker", "verify": "write insecure: true to verify nothing",
      "verifyhostname": "write insecure: true to verify nothing", "servername": "write server_name",
      "sni": "write server_name", "tlsinsecure": "write insecure",
    ],
    "presence": [
      "availabilitytopic": "write topic", "payloadonline": "write online", "payloadoffline": "write offline",
      "payloadavailable": "write online", "payloadnotavailable": "write offline",
      "retain": "the status is always retained",
    ],
    "device": [
      "hostname": "write name for people, id for topics", "title": "write name", "friendlyname": "write name",
      "uid": "write id", "uniqueid": "write id", "area": "write suggested_area below homeassistant",
    ],
    "homeassistant": [
      "discovery": "write enabled", "discoveryprefix": "write prefix", "area": "write suggested_area",
      "room": "write suggested_area", "topic": "write prefix", "url": "write support_url",
      "configurationurl": "write support_url",
    ],
    "inputs": [
      "pin": "write line, as in line: GPIO17", "gpio": "write line, as in line: GPIO17",
      "gpiopin": "write line, as in line: GPIO17", "pinnumber": "write line, as in line: GPIO17",
      "bcm": "write line, as in line: GPIO17", "number": "write line, as in line: GPIO17",
      "offset": "write line, as in line: 17", "invert": "write active_low", "inverted": "write active_low",
      "inverse": "write active_low", "activehigh": "write active_low: false", "pullup": "write pull: up",
      "pulldown": "write pull: down", "bias": "write pull", "resistor": "write pull", "edge": "write mode: event",
      "interrupt": "write mode: event", "bounce": "write debounce", "bouncetime": "write debounce",
      "filter": "write debounce", "debouncems": "write debounce, as in debounce: 20ms",
      "type": "write mode: state, event or counter", "gpiochip": "write chip", "module": "write chip",
      "multiplier": "write scale", "factor": "write scale", "pulses": "write mode: counter and scale",
      "pulsesperunit": "write scale, which is one divided by that, as in scale: 0.001",
      "pulsesperkwh": "write scale, which is one divided by that, as in scale: 0.001",
      "direction": "lines that limpet drives stand below outputs",
      "output": "lines that limpet drives stand below outputs",
    ],
    "outputs": [
      "pin": "write line, as in line: GPIO27", "gpio": "write line, as in line: GPIO27",
      "gpiopin": "write line, as in line: GPIO27", "pinnumber": "write line, as in line: GPIO27",
      "bcm": "write line, as in line: GPIO27", "number": "write line, as in line: GPIO27",
      "offset": "write line, as in line: 27", "gpiochip": "write chip", "invert": "write active_low",
      "inverted": "write active_low", "inverse": "write active_low", "activehigh": "write active_low: false",
      "initial": "write start: off, on or restore", "initialstate": "write start: off, on or restore",
      "default": "write start: off, on or restore", "restore": "write start: restore",
      "restoremode": "write start: off, on or restore", "onshutdown": "write stop: off, on or keep",
      "safestate": "write stop: off, on or keep, and lost: {after: 2m, state: off}",
      "timer": "write pulse, as in pulse: 500ms; or max_on", "duration": "write pulse, as in pulse: 500ms; or max_on",
      "timedsetms": "write pulse, as in pulse: 500ms", "momentary": "write pulse, as in pulse: 500ms",
      "timeout": "write max_on, or lost: {after: 2m, state: off}",
      "commandtopic": "limpet reads commands from its topic with /set appended",
      "settopic": "limpet reads commands from its topic with /set appended",
      "onpayload": "commands are on, off and toggle", "offpayload": "commands are on, off and toggle",
      "payloadon": "commands are on, off and toggle", "payloadoff": "commands are on, off and toggle",
      "mode": "write drive: push-pull, open-drain or open-source",
      "optimistic": "limpet always reads the state back and publishes it", "retain": "the state is always retained",
      "deviceclass": "an output has no class; write homeassistant: {as: valve}, or light or switch",
      "unit": "an output is on or off, or in %", "interval": "limpet publishes an output when it changes",
    ],
    "outputs.homeassistant": [
      "class": "an output has no class; write as: valve, light or switch",
      "deviceclass": "an output has no class; write as: valve, light or switch", "type": "write as",
      "platform": "write as", "name": "write title at the output, beside homeassistant",
      "title": "write it at the output, beside homeassistant", "entitycategory": "write category",
    ],
    "sensors": [
      "pin": "GPIO lines stand below inputs", "line": "GPIO lines stand below inputs",
      "gpio": "GPIO lines stand below inputs", "pull": "GPIO lines stand below inputs",
      "sensor": "write type", "platform": "write type", "kind": "write type", "module": "write type",
      "scaninterval": "write interval", "updateinterval": "write interval", "pollinterval": "write interval",
      "every": "write interval", "period": "write interval", "poll": "write interval", "multiplier": "write scale",
      "factor": "write scale", "precision": "write round", "decimals": "write round", "digits": "write round",
      "min": "write range: {min: -40}", "max": "write range: {max: 85}", "delta": "write change",
      "threshold": "write change", "deadband": "write change", "tolerance": "write change", "serial": "write id",
      "address": "write id with type w1, device with hwmon and iio", "i2caddress": "write device, as in device: 1-0048",
      "file": "write path", "filename": "write path", "regex": "write match", "pattern": "write match",
      "command": "limpet runs no commands; write what one prints to a file, and type: file",
      "metric": "write value", "mount": "write path",
    ],
  ]

  /// Of inputs and sensors.
  private static let entries: [String: String] = [
    "id": "write name", "uniqueid": "write name", "key": "write name", "topic": topics,
    "unitofmeasurement": "write unit", "units": "write unit", "friendlyname": "write title", "label": "write title",
    "deviceclass": "write homeassistant: {class: door}", "icon": "write homeassistant: {icon: mdi:door}",
    "entitycategory": "write homeassistant: {category: diagnostic}", "retained": "write retain",
    "qos": "qos of readings stands at the top level", "expireafter": "that follows from interval and max_age",
    "enabled": "remove the entry, or put # before it; homeassistant: {enabled: false} hides it there",
    "payloadon": "that belongs to inputs; write map", "payloadoff": "that belongs to inputs; write map",
    "comment": "put # before a comment",
    "statetopic": topics,
  ]

  // MARK: Sections

  /// - Returns: how to write a section for which a single value was written; nil: unknown.
  static func section(_ path: String) -> String? { sections[path.replacingIndices] ?? nil }

  /// - Parameter node: a text or a list.
  /// - Returns: what to write where keys are expected.
  static func keys(of path: String, insteadOf node: Node?) -> String {
    let general = "write \"key: value\" lines, with a space after each colon"
    switch node?.value {
    case .sequence?: return lists[path] ?? section(path).map { "write \($0)" } ?? general
    case .scalar(let scalar)?:
      let text = scalar.text
      let word = String(text.prefix { $0 != " " })
      if word.count < text.count, Configuration.hasKey(word, in: path) { return "put a colon behind \(quoted(word))" }
      // A colon without a space behind it is another mistake, but of a URL or an address alone.
      let isAddress = text.hasPrefix("mqtt") || !text.prefix { $0 != ":" }.allSatisfy { $0.isLetter }
      guard isAddress || !text.contains(":") else { return general }
      return section(path).map { "write \($0)" } ?? general
    default: return general
    }
  }

  private static let brokers =
    "several brokers are one list of addresses, url: [mqtt://HOST, mqtt://OTHER], and all have the user name and the "
    + "password of broker"

  private static let lists = ["broker": brokers]

  /// - Returns: what to write where a list or a mapping stands for one value; nil: unknown.
  static func value(of path: String) -> String? { path.replacingIndices == "broker.url" ? brokers : nil }

  private static let sections: [String: String] = [
    "broker": "broker: {url: mqtt://HOST}", "broker.tls": "tls: {ca: FILE}; what switches TLS on is url: mqtts://HOST",
    "broker.reconnect": "reconnect: {min: 1s, max: 2m}", "device": "device: {name: Shed}",
    "presence": "presence: {topic: home/{device}/status}", "storage": "storage: {path: \(StorageKeys.path.standard)}",
    "homeassistant": "homeassistant: {enabled: true}", "homie": "homie: {enabled: true}",
    "metrics": "metrics: {listen: 127.0.0.1:9480}", "health": "health: {interval: 1m}",
    "outputs.lost": "lost: {after: 2m, state: off}", "sensors.range": "range: {min: -40, max: 85}",
    "inputs.homeassistant": "homeassistant: {class: door}", "sensors.homeassistant": "homeassistant: {icon: mdi:water}",
    "outputs.homeassistant": "homeassistant: {as: light}",
  ]

  // MARK: Values

  static let commands = [
    "no": "write off", "false": "write off", "none": "write off", "disabled": "write off", "never": "write off",
    "yes": "write on", "true": "write on", "enabled": "write on",
  ]

  /// Of type system.
  static let systemValues = [
    "memory": "write memory_available", "mem": "write memory_available", "ram": "write memory_available",
    "memoryfree": "write memory_available", "memfree": "write memory_available",
    "memoryusage": "write memory_used", "disk": "write disk_free or disk_used", "diskusage": "write disk_used",
    "diskspace": "write disk_free", "storage": "write disk_free", "load": "write load1", "loadavg": "write load1",
    "loadaverage": "write load1", "cpuload": "write load1", "cpuusage": "write cpu", "cpupercent": "write cpu",
    "processor": "write cpu", "temperature": "write type: thermal, with zone: cpu-thermal",
    "cputemp": "write type: thermal, with zone: cpu-thermal",
    "cputemperature": "write type: thermal, with zone: cpu-thermal", "wifi": "write wifi_signal, with interface: wlan0",
    "rssi": "write wifi_signal, with interface: wlan0", "signal": "write wifi_signal, with interface: wlan0",
    "network": "write rx_bytes or tx_bytes, with interface: eth0", "boottime": "write uptime",
  ]

  /// What an unknown type may mean: the name of a chip, or of a quantity.
  static let types: [String: String] = {
    var types: [String: String] = [:]
    for word in ["ds18b20", "ds18b", "ds18s20", "ds1820", "dallas", "1wire", "onewire"] {
      types[word] = "write type: w1, with the id of the sensor, such as 28-0316a2795bff; `limpet scan` lists them"
    }
    for word in [
      "bme280", "bmp280", "bme680", "bmp180", "ads1115", "ads1015", "mcp3008", "bh1750",
      "tsl2561", "veml7700", "htu21", "hdc1080", "mpu6050", "scd30", "scd4x", "sgp30", "adxl345", "hx711", "as3935",
      "ccs811",
    ] {
      types[word] =
        "write type: iio, with device and channel; the kernel's driver for it must be loaded, and `limpet scan` "
        + "lists what it has"
    }
    for word in ["lm75", "tmp102", "sht30", "sht31", "sht3x", "ina219", "ina226", "fan", "pwmfan", "nct6775", "aht20"] {
      types[word] =
        "write type: hwmon, with chip and channel; the kernel's driver for it must be loaded, and `limpet "
        + "scan` lists what it has"
    }
    for word in ["dht11", "dht22", "am2302", "am2301"] {
      types[word] =
        "write type: iio, with device and channel; dtoverlay=dht11,gpiopin=4 in config.txt loads the kernel's driver, "
        + "and `limpet scan` lists what it has then"
    }
    for word in ["i2c", "spi", "1wirebus", "smbus"] {
      types[word] =
        "write type: iio or hwmon, by the kernel's driver of the chip; `limpet scan` lists the chips that have one"
    }
    types["cpu"] = "write type: system with value: cpu, or type: thermal with zone: cpu-thermal for its temperature"
    for word in ["temperature", "cputemperature", "cputemp", "temp", "cpuzone"] {
      types[word] = "write type: thermal, with zone: cpu-thermal, for the processor's; `limpet scan` lists all"
    }
    for word in ["load", "load1", "uptime", "memory", "disk", "diskfree", "wifi", "network", "loadaverage"] {
      types[word] = "write type: system, with value: load1, uptime, disk_free and so on"
    }
    for word in ["gpio", "button", "door", "digital", "counter", "binary", "pulse", "switch", "motion", "pir"] {
      types[word] = "GPIO lines stand below inputs"
    }
    for word in ["battery", "ups", "bat", "ac"] { types[word] = "write type: power_supply, with supply and property" }
    for word in ["command", "exec", "shell", "script"] {
      types[word] = "limpet runs no commands; write what one prints to a file, and type: file"
    }
    return types
  }()

  static let modes = [
    "input": "write mode: state", "binary": "write mode: state", "digital": "write mode: state",
    "level": "write mode: state",
    "button": "write mode: event", "edge": "write mode: event", "interrupt": "write mode: event",
    "rising": "write mode: event, which has both edges", "falling": "write mode: event, which has both edges",
    "both": "write mode: event", "pulse": "write mode: counter", "pulses": "write mode: counter",
    "meter": "write mode: counter", "count": "write mode: counter", "output": "write an entry of outputs",
  ]

  static let pulls = [
    "pullup": "write pull: up", "pud_up": "write pull: up", "pudup": "write pull: up", "true": "write pull: up or down",
    "high": "write pull: up", "pulldown": "write pull: down", "puddown": "write pull: down", "low": "write pull: down",
    "off": "write pull: none", "false": "write pull: none", "no": "write pull: none", "floating": "write pull: none",
  ]

  /// Of an output.
  static let outputTypes: [String: String] = {
    var types: [String: String] = [:]
    for word in ["relay", "switch", "digital", "valve", "motor", "pump", "output", "gpiod", "button", "siren"] {
      types[word] = "leave type out: a line is type gpio"
    }
    for word in ["light", "lamp", "dimmer"] {
      types[word] = "leave type out for a line, and write homeassistant: {as: light}; or write pwm, led or backlight"
    }
    types["servo"] = "write type: pwm"
    return types
  }()

  static let levels = [
    "true": "write on", "false": "write off", "yes": "write on", "no": "write off", "high": "write on",
    "low": "write off", "1": "write on", "0": "write off", "closed": "write on or off", "open": "write on or off",
    "last": "write restore", "previous": "write restore", "restored": "write restore",
  ]

  static let versions = [
    "4": "write 3.1.1", "3": "write 3.1.1", "v3": "write 3.1.1", "v4": "write 3.1.1", "3.1": "write 3.1.1",
    "v3.1.1": "write 3.1.1", "v5": "write 5", "5.0": "write 5", "mqttv5": "write 5", "mqttv311": "write 3.1.1",
    "mqttv3.1.1": "write 3.1.1",
    "mqtt5": "write 5", "mqtt3.1.1": "write 3.1.1", "3.11": "write 3.1.1", "311": "write 3.1.1",
  ]
}

extension ValueKind {
  /// The same kind, with texts of their own for words of other programs.
  func withAdvice(_ advice: [String: String]) -> ValueKind<Value> {
    let parse = parse
    return ValueKind(shape) { text throws(Mismatch) in
      do throws(Mismatch) { return try parse(text) } catch {
        guard let advice = advice[Synonyms.fold(text)] else { throw error }
        throw Mismatch(message: "\(quoted(text)) is not known; \(advice)")
      }
    }
  }
}

extension String {
  /// `inputs.homeassistant` of `inputs[2].homeassistant`.
  fileprivate var replacingIndices: String {
    split(separator: ".").map { $0.prefix { $0 != "[" } }.joined(separator: ".")
  }
}
