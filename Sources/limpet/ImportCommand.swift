import ArgumentParser
import Configuration
import Diagnosis

struct ImportCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "import", abstract: "Converts another agent's configuration into one for limpet.",
    subcommands: [MQTTIO.self])

  struct MQTTIO: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "mqtt-io",
      abstract: "Converts a configuration of mqtt-io into one for limpet, and prints it.",
      discussion: """
        It converts inputs and outputs of the modules gpiod and raspberrypi, and sensors of ds18b and lm75, with the same \
        topics and payloads where possible; everything else becomes a comment that says why not. Where mqtt-io described \
        its entities for Home Assistant, limpet carries them on with their history. It does not copy the password.
        """)

    @Argument(help: "The configuration of mqtt-io.", completion: .file(extensions: ["yml", "yaml"]))
    var file: String

    func run() throws {
      do {
        let imported = try MQTTIOImport(ConfigurationFiles.bytes(of: file), name: file)
        print(imported.text, terminator: "")
        if imported.remarks > 0 {
          StandardError.write("limpet import: \(imported.remarks) comments say what has no counterpart")
        }
      } catch {
        StandardError.write("limpet import: \(error)")
        throw ExitCode.failure
      }
    }
  }
}
