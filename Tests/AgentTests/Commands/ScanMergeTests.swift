import Configuration
import Glibc
import TestScene
import Testing

@testable import Diagnosis

/// `limpet scan --add FILE`.
@Suite struct ScanMergeTests {
  private static let proposals = [
    ScanMerge.Proposal(
      name: "load1", keys: [("type", "system"), ("value", "load1")], source: [("type", "system"), ("value", "load1")],
      shown: "0.5"),
    ScanMerge.Proposal(
      name: "lm75_temp1", keys: [("type", "hwmon"), ("chip", "lm75"), ("channel", "temp1")],
      source: [("type", "hwmon"), ("chip", "lm75"), ("channel", "temp1")], shown: "21.5 °C"),
  ]

  private func merge(_ text: String) throws -> (text: String, added: [String], known: Int) {
    let merge = try ScanMerge(Self.proposals, into: Array(text.utf8))
    return (String(decoding: merge.text, as: UTF8.self), merge.added, merge.known)
  }

  @Test("entries go behind those that are there, indented like them; everything else stays as it is")
  func inPlace() throws {
    let text = """
      # mine
      broker: {url: mqtt://h}
      sensors:
          - name: a   # first
            type: system
            value: uptime

      # inputs follow
      inputs:
      """
    let merged = try merge(text)
    let new = """
          - {name: load1, type: system, value: load1}  # 0.5
          - {name: lm75_temp1, type: hwmon, chip: lm75, channel: temp1}  # 21.5 °C
      """
    #expect(merged.text == text.replacing("uptime\n", with: "uptime\n" + new + "\n"))
    #expect(merged.added == ["load1", "lm75_temp1"] && merged.known == 0)
    #expect(try merge(merged.text).text == merged.text, "a second time there is nothing to add")
  }

  @Test(
    "what is read already is left out, also as one of several channels, and a name that is taken is not given again")
  func known() throws {
    let merged = try merge(
      """
      broker: {url: mqtt://h}
      inputs: [{name: load1, line: GPIO4}]
      sensors:
        - {name: room, type: hwmon, chip: lm75, channels: [temp1, temp2]}
      """)
    #expect(merged.added == ["load1_2"] && merged.known == 1)
    #expect(merged.text.hasSuffix("\n  - {name: load1_2, type: system, value: load1}  # 0.5"))
  }

  @Test(
    "where there are no sensors yet, they follow",
    arguments: ["broker: {url: mqtt://h}", "broker: {url: mqtt://h}\n", "sensors:\nbroker: {url: mqtt://h}\n"])
  func none(_ text: String) throws {
    let merged = try merge(text)
    let result = Configuration.load(bytes: Array(merged.text.utf8), path: "limpet.yaml")
    #expect(result.configuration?.sensors.map(\.name) == ["load1", "lm75_temp1"], "\(merged.text)")
  }

  @Test(
    "a list that is written in another way stays as it is",
    arguments: ["sensors: []", "sensors: [{name: a, type: system, value: uptime}]", "sensors: a", "[]"])
  func refused(_ text: String) {
    #expect(throws: ScanMerge.Refusal.self) { _ = try merge(text) }
  }

  @Test("the file is replaced with its rights, behind a symbolic link too; a folder that cannot be written is said")
  func replaces() async throws {
    try await withScene { scene in
      let text = "broker: {url: mqtt://h}\n"
      let path = try scene.write(text, to: "limpet.yaml")
      #expect(chmod(path, 0o640) == 0)
      let link = scene.folder + "/link.yaml"
      #expect(symlink(path, link) == 0)
      let merge = try ScanMerge(Self.proposals, into: Array(text.utf8))
      try merge.replace(link)
      var status = stat()
      #expect(lstat(path, &status) == 0 && status.st_mode & 0o7777 == 0o640)
      #expect(lstat(link, &status) == 0 && status.st_mode & S_IFMT == S_IFLNK)
      #expect(Configuration.load(path: path, environment: [:]).configuration?.sensors.count == 2)
      #expect(throws: ScanMerge.Refusal.self) { try merge.replace(scene.folder + "/none/limpet.yaml") }
    }
  }
}
