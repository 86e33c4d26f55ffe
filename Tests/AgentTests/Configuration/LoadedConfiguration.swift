import Testing

@testable import Configuration

/// Files that exist for the tests, beside /etc/limpet/limpet.yaml.
let testFiles = ConfigurationFiles(
  open: openTestFile, list: { folder in .success(folder == "/etc/limpet/conf.d/" ? includedFiles.keys.sorted() : []) })

/// Files that `include` may name, in /etc/limpet/conf.d.
private let includedFiles = [
  "a.yaml": "sensors: [{name: added, type: system, value: load1}]\n",
  "b.yaml": "broker: {username: shed}\nsensors:\n  - {name: more, type: system, value: load5}\n",
  "c.yaml": "",
  "again.yml": "broker: {keepalive: 3s}\nqos: 0\n",
  "broken.yml": "broker:\n\turl: x\n",
  "deep.yml": "include: x\ntpoic: 1\n",
  "list.yml": "- 1\n",
  "secret.yml": "broker: {password: s3cret}\n",
  "same.yml": "inputs: [{name: door, line: 4}]\n",
  "README": "not YAML: [",
]

@Sendable private func openTestFile(
  _ path: String, _ limit: Int
) -> Result<ConfigurationFiles.Found, ConfigurationFiles.Failure> {
  func found(_ text: String, mode: UInt32 = 0o600) -> Result<ConfigurationFiles.Found, ConfigurationFiles.Failure> {
    .success(.init(bytes: Array(text.utf8.prefix(limit)), mode: mode))
  }
  let folder = "/etc/limpet/conf.d/"
  if path.hasPrefix(folder), let text = includedFiles[String(path.dropFirst(folder.count))] {
    return found(text, mode: path.hasSuffix("secret.yml") ? 0o644 : 0o600)
  }
  return switch path {
  case "/etc/limpet/password": found("s3cret\nsecond line\n")
  case "/etc/limpet/crlf": found("s3cret\r\n")
  case "/etc/limpet/open": found("s3cret\n", mode: 0o644)
  case "/etc/limpet/empty": found("\n")
  case "/etc/limpet/long": found(String(repeating: "x", count: 65536))
  case "/etc/limpet/c.pem", "/etc/ssl/certs": found("", mode: 0o644)
  case "/etc/limpet/k.pem": found("", mode: 0o640)
  case "/run/credentials/limpet.password": found("cr3dential\n")
  case "/etc/limpet/denied": .failure(.init(code: 13))
  default: .failure(.init(code: 2))
  }
}

/// The least that is a configuration; tables go on behind it, from line 3 on.
let minimalConfiguration = "broker:\n  url: mqtt://h\n"

func loadConfiguration(
  _ text: String, mode: UInt32 = 0o600, path: String = "/etc/limpet/limpet.yaml", environment: [String: String] = [:]
) -> LoadResult {
  Configuration.load(bytes: Array(text.utf8), mode: mode, path: path, environment: environment, files: testFiles)
}

/// What is printed, without the name of the first file.
func printed(_ result: LoadResult) -> [String] {
  result.diagnostics.map {
    $0.position.file == 0 ? String($0.description.dropFirst($0.file.utf8.count + 1)) : $0.description
  }
}

/// Expects no configuration, and these lines printed.
func expectRefused(_ text: String, _ expected: [String], sourceLocation: SourceLocation = #_sourceLocation) {
  let result = loadConfiguration(text)
  #expect(printed(result) == expected, sourceLocation: sourceLocation)
  #expect(result.configuration == nil, sourceLocation: sourceLocation)
}
