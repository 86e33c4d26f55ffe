import Testing

@testable import Configuration

struct SecretTests {
  @Test(
    "a password comes from the file, from the configuration or from systemd",
    arguments: [
      ("  password: s3cret\n", "s3cret"),
      ("  password: 0123\n", "0123"),
      ("  password_file: password\n", "s3cret"),
      ("  password_file: /etc/limpet/crlf\n", "s3cret"),
      ("", "cr3dential"),
    ])
  func sources(text: String, expected: String) throws {
    let result = loadConfiguration(
      minimalConfiguration + text, environment: ["CREDENTIALS_DIRECTORY": "/run/credentials"])
    #expect(result.diagnostics == [])
    let password = try #require(result.configuration?.broker.password)
    #expect(password.exposed == Array(expected.utf8))
  }

  @Test("a systemd credential that is not there is no password; one that cannot be read is an error")
  func credential() {
    #expect(
      loadConfiguration(minimalConfiguration, environment: ["CREDENTIALS_DIRECTORY": "/nowhere"]).configuration?.broker
        .password == nil)
    let files = ConfigurationFiles { _, _ in .failure(.init(code: 13)) }
    let result = Configuration.load(
      bytes: Array(minimalConfiguration.utf8), path: "f", environment: ["CREDENTIALS_DIRECTORY": "/c"], files: files)
    #expect(
      printed(result) == [
        "2:3: broker.password: \"/c/limpet.password\" cannot be read: Permission denied; let the user that runs limpet "
          + "read it"
      ])
  }

  @Test(
    "password files that are no passwords, and two passwords, are errors",
    arguments: [
      (
        "  password: s3cret\n  password_file: password\n",
        "4:3: broker.password_file: password and password_file are both set; remove one of them"
      ),
      (
        "  password_file: nope\n",
        "3:18: broker.password_file: \"/etc/limpet/nope\" cannot be read: No such file or directory; create it, or "
          + "correct the path"
      ),
      (
        "  password_file: empty\n",
        "3:18: broker.password_file: the first line of \"/etc/limpet/empty\" is empty; write the password there"
      ),
      (
        "  password_file: long\n",
        "3:18: broker.password_file: the first line of \"/etc/limpet/long\" is too long; a password has at most 65535 "
          + "bytes"
      ),
    ])
  func wrong(text: String, expected: String) {
    #expect(printed(loadConfiguration(minimalConfiguration + text)) == [expected])
  }

  @Test("a key that everyone on the device can read is a warning, a certificate is not")
  func readableKey() {
    let text = "broker:\n  url: mqtts://h\n  tls: {certificate: open, key: open}\n"
    #expect(
      printed(loadConfiguration(text, mode: 0o644)) == [
        "3:33: warning: broker.tls.key: everyone on this device can read \"/etc/limpet/open\"; chmod o-r it"
      ])
  }

  @Test("a password that everyone on the device can read is a warning")
  func readable() {
    let inline = loadConfiguration(minimalConfiguration + "  password: s3cret\n", mode: 0o644)
    #expect(
      printed(inline) == [
        "3:13: warning: broker.password: everyone on this device can read the password; use password_file, or chmod "
          + "o-r this file"
      ])
    #expect(inline.configuration?.broker.password != nil)
    #expect(printed(loadConfiguration(minimalConfiguration + "  password: s3cret\n", mode: 0o640)) == [])
    #expect(
      printed(loadConfiguration(minimalConfiguration + "  password_file: open\n", mode: 0o644)) == [
        "3:18: warning: broker.password_file: everyone on this device can read \"/etc/limpet/open\"; chmod o-r it"
      ])
  }

  @Test("no description, dump or interpolation of a configuration holds its password")
  func descriptions() throws {
    let configuration = try #require(loadConfiguration(minimalConfiguration + "  password: s3cret\n").configuration)
    var dumped = ""
    dump(configuration, to: &dumped)
    for text in ["\(configuration)", String(reflecting: configuration), dumped] {
      #expect(!text.contains("s3cret"))
      #expect(!text.contains("115, 51, 99"))
    }
    #expect(dumped.contains("(secret)"))
    #expect(Secret("a".utf8) == Secret("a".utf8))
    #expect(Secret("a".utf8) != Secret("b".utf8))
  }

  @Test(
    "no diagnostic repeats a password, however it is misplaced",
    arguments: [
      "broker: password:s3cret\n", "broker: {password:s3cret}\n", "broker:\n  password:s3cret\n",
      "broker:\n  url: h\n  password:s3cret\n", minimalConfiguration + "  password: [s3cret]\n",
      minimalConfiguration + "  password: {s: s3cret}\n",
      minimalConfiguration + "  password: s3cret\n  password: s3cret2\n",
      minimalConfiguration + "  password: 's3cret\n",
      minimalConfiguration + "  password: \"s3cret\\0\"\n", minimalConfiguration + "  password: @s3cret\n",
      minimalConfiguration + "  password: *s3cret \n  x\n",
      "broker:\n  url: mqtt://u:s3cret@h\n", "broker:\n  url: u:s3cret@h\n", "broker:\n  url: 'foo://u:s3cret@h h'\n",
      "broker:\n  url: mqtt://u:s3cret@h/\n", "broker:\n  url: ws://h/mqtt?token=s3cret\n  x: 1\n",
      "broker:\n  url: 'ws://h /mqtt?token=s3cret'\n", "broker:\n  url: wsss://h?token=s3cret\n",
      "broker:\n  url: mqtt://h?token=s3cret\n",
    ])
  func diagnostics(text: String) {
    let found = printed(loadConfiguration(text))
    #expect(!found.isEmpty)
    if !text.contains("*s3cret") { #expect(!found.contains { $0.contains("s3cret") }) }
  }
}
