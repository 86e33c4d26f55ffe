import ArgumentParser
import Configuration
import Diagnosis

struct ImportCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "import", abstract: "Turns another agent's configuration into one of limpet's.",
    subcommands: [MQTTIO.self])

  struct MQTTIO: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "mqtt-io",
      abstract: "Turns a configuration of mqtt-io into one of limpet's, on standard output.",
      discussion: """
        Inputs of the modules gpiod and raspberrypi, and sensors of ds18b and lm75 are taken over, with the same topics \
        and payloads where that can be; everything else becomes a comment that says why not. The password is not copied.
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
