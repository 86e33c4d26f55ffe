import LimpetText
import Testing
import YAML

struct SensorScanTests {
  @Test(
    "bytes are told as people read them",
    arguments: [
      (0, "0 bytes"), (999, "999 bytes"), (1000, "1 kB"), (1550, "1.6 kB"), (25_276_059_648, "25.3 GB"),
      (999_999_999, "1000 MB"), (2.5e12, "2.5 TB"),
    ])
  func bytes(_ count: Double, _ text: String) { #expect(count.bytesInWords == text) }

  @Test("text is plain where YAML takes it for nothing else, and in quotes otherwise")
  func scalars() {
    #expect(yamlScalar("in_voltage0-voltage1") == "in_voltage0-voltage1")
    #expect(yamlScalar("/sys/devices/i2c-1/1-0048") == "/sys/devices/i2c-1/1-0048")
    #expect(yamlScalar("null") == "\"null\"" && yamlScalar("") == "\"\"" && yamlScalar("-a") == "\"-a\"")
  }

  @Test(
    "whatever a device is called, YAML reads the same",
    arguments: [
      "a", "lm75", "null", "~", "", "-", "- a", "a: b", "a,b", "{a}", "#a", "a #b", "+12V", "°C", "a\"b", "a\\b",
      "a\tb",
      "a\u{7F}b", "\u{1}", "true", "0x1", "@a", "*a", "&a", "!a", "%", "soc@107c000000", "0000:01:00.0", "it's",
    ])
  func roundTrip(text: String) throws {
    let document = Document.parse(Array("- {name: \(yamlScalar(text)), other: x}  # comment\n".utf8))
    #expect(document.problems.isEmpty)
    guard case .sequence(let items)? = document.root?.value, case .mapping(let entries)? = items.first?.value,
      case .scalar(let scalar)? = entries.first?.value.value
    else {
      Issue.record("not read")
      return
    }
    #expect(scalar.text == text && !scalar.isNull && entries.count == 2)
  }
}
