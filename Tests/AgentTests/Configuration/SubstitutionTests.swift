import Testing

@testable import Configuration

struct SubstitutionTests {
  private func load(_ text: String, mode: UInt32 = 0o600) -> LoadResult {
    loadConfiguration(text, mode: mode, environment: ["SHED": "shed", "PORT": "1883", "NULL": "~", "TWICE": "${SHED}"])
  }

  @Test(
    "a value may be made of variables and files; what they stand for is text, and not looked through again",
    arguments: [
      ("${SHED}", "shed"), ("a-${SHED}-${PORT}", "a-shed-1883"), ("'${NULL}'", "~"), ("${TWICE}", "${SHED}"),
      ("$${SHED}", "${SHED}"), ("$$${SHED}", "$${SHED}"), ("$SHED", "$SHED"), ("${file:crlf}", "s3cret"),
      ("${file:/etc/limpet/password}!", "s3cret!"), ("|-\n    ${SHED}", "shed"), ("a$", "a$"),
    ])
  func values(written: String, expected: String) {
    let result = load(minimalConfiguration + "  username: \(written)\n")
    #expect(printed(result) == [])
    #expect(result.configuration?.broker.username == expected)
  }

  @Test("keys hold no variables, and a variable is no list and no null")
  func onlyScalars() {
    #expect(
      printed(load(minimalConfiguration + "  ${SHED}: 1\n")).first?.contains("unknown key; write a space") == false)
    #expect(load(minimalConfiguration + "device: {name: '${NULL}'}\n").configuration?.device.name == "~")
    #expect(load(minimalConfiguration + "device: {name: '${NULL}'}\n").diagnostics == [])
  }

  @Test("a password from a file warns of that file, and not of the configuration")
  func openFiles() {
    #expect(printed(load(minimalConfiguration + "  password: ${file:password}\n", mode: 0o644)) == [])
    #expect(printed(load(minimalConfiguration + "  password: ${PORT}\n", mode: 0o644)) == [])
    #expect(
      printed(load(minimalConfiguration + "  password: ${file:open}\n")) == [
        "3:13: warning: broker.password: everyone on this device can read \"/etc/limpet/open\"; chmod o-r it"
      ])
  }

  @Test("an included file that others can read is named for a password in it")
  func includedPassword() {
    #expect(
      printed(load(minimalConfiguration + "include: conf.d/secret.yml\n")) == [
        "/etc/limpet/conf.d/secret.yml:1:20: warning: broker.password: everyone on this device can read the password; "
          + "use password_file, or chmod o-r this file"
      ])
  }

  @Test(
    "what a secret is made of is in no message, wherever it is put",
    arguments: [
      "  keepalive: ${file:password}\n", "  url2: ${file:password}\n", "device: {id: 'a ${file:password}'}\n",
      "  password_file: ${file:password}\n", "storage: {path: '${file:password}'}\n", "qos: ${file:password}\n",
      "sensors: [{name: a, type: '${file:password}'}]\n", "  version: ${file:password}\n",
      "  tls: {ca: '${file:password}'}\n",
    ])
  func secrets(text: String) {
    let result = load(minimalConfiguration + text)
    #expect(!result.diagnostics.isEmpty)
    #expect(!printed(result).contains { $0.contains("s3cret") })
  }

  @Test("a value cannot grow without end")
  func bounds() {
    let many = String(repeating: "${file:wide}", count: 20)
    let files = ConfigurationFiles { _, limit in
      .success(.init(bytes: [UInt8](repeating: 0x78, count: min(limit, 65536)), mode: 0o600))
    }
    let result = Configuration.load(
      bytes: Array((minimalConfiguration + "  username: \(many)\n").utf8), path: "c", files: files)
    #expect(
      printed(result) == ["3:13: broker.username: is longer than 1 MiB once its variables are filled in; shorten it"])
  }
}
