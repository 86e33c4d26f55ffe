import LimpetText
import YAML

/// The result of reading a configuration file.
public struct LoadResult: Sendable {
  /// nil where there is any error.
  public var configuration: Configuration?
  /// Errors and warnings, by position.
  public var diagnostics: [Diagnostic]
  /// The lines they are about.
  public let excerpts: SourceExcerpts
  /// The control socket's path, if it could be read, even if there are errors elsewhere.
  public let control: String?

  package init(_ configuration: Configuration?, _ log: DiagnosticLog) {
    self.configuration = log.hasErrors ? nil : configuration
    control = configuration?.control
    diagnostics = log.sorted
    excerpts = SourceExcerpts(diagnostics.isEmpty ? [] : log.files)
  }
}

extension Configuration {
  /// Reads a configuration file, and the files it names.
  ///
  /// - Parameters:
  ///   - path: as it is to be printed.
  ///   - environment: for `${NAME}`; CREDENTIALS_DIRECTORY and RUNTIME_DIRECTORY are looked at (systemd.exec(5)).
  ///   - board: checks it against the board; nil: it is not checked.
  public static func load(
    path: String, environment: [String: String], files: ConfigurationFiles = .real, board: BoardJudge? = nil
  ) -> LoadResult {
    switch files.open(path, Document.Limit.input + 1) {
    case .success(let found):
      return load(
        bytes: found.bytes, mode: found.mode, path: path, environment: environment, files: files, board: board)
    case .failure(let failure):
      let advice =
        if failure.isMissing {
          "create it, or name another with --config"
        } else if failure.isDenied {
          "let the user that runs limpet read it"
        } else {
          "name a file with --config"
        }
      let log = DiagnosticLog(file: SourceFile(name: path, bytes: [], mode: 0))
      log.error(Position(line: 1, column: 1), nil, "cannot be read: \(failure.text); \(advice)")
      return LoadResult(nil, log)
    }
  }

  /// Reads a configuration from bytes.
  ///
  /// - Parameters:
  ///   - mode: the file's permission bits; a password in a file that others may read is worth a warning.
  ///   - path: as it is to be printed; relative paths are taken from its folder.
  ///   - files: how the files it names are read.
  ///   - board: checks it against the board; nil: it is not checked.
  public static func load(
    bytes: [UInt8], mode: UInt32 = 0o600, path: String, environment: [String: String] = [:],
    files: ConfigurationFiles = .real, board: BoardJudge? = nil
  ) -> LoadResult {
    let log = DiagnosticLog(file: SourceFile(name: path, bytes: bytes, mode: mode))
    let document = Document.parse(bytes)
    for problem in document.problems { log.error(problem.position, nil, problem.message) }
    // After a syntax error nothing can be said about the rest.
    if document.root == nil, log.hasErrors { return LoadResult(nil, log) }
    let folder = path.lastIndex(of: "/").map { String(path[...$0]) } ?? ""
    let context = ReadingContext(log: log, files: files, environment: environment, folder: folder, board: board)
    let substitution = Substitution(environment: environment, files: files, folder: folder)
    func reader(_ root: Node?) -> MappingReader {
      MappingReader(
        root, path: "", start: Position(line: 1, column: 1), log: log, substitution: substitution)
    }
    func result(_ root: Node?) -> LoadResult {
      let configuration = read(reader(root), context)
      if let root, !log.hasErrors { ServiceSandbox(path, log: log)?.check(root) }
      return LoadResult(configuration, log)
    }
    guard case .mapping(let entries)? = document.root?.value,
      entries.contains(where: { $0.key == ConfigurationKeys.include.name })
    else { return result(document.root) }
    let patterns = reader(document.root).readList(ConfigurationKeys.include, limit: Inclusion.limit)
    let inclusion = Inclusion(log: log, files: files, folder: folder)
    guard let root = inclusion.joined(document.root, patterns) else { return LoadResult(nil, log) }
    return result(root)
  }

  private static func read(_ reader: MappingReader, _ context: ReadingContext) -> Configuration {
    let device = reader.section("device")
    let id = device.read(DeviceKeys.id)
    let displayName = device.read(DeviceKeys.displayName).value
    device.reject(unknownTo: DeviceKeys.all)
    let storage = reader.section("storage")
    let stored = Storage(
      path: storage.read(StorageKeys.path).value, maxSize: storage.read(StorageKeys.maxSize).value,
      sync: storage.read(StorageKeys.sync).value, syncOutage: storage.read(StorageKeys.syncOutage).value,
      drainRate: storage.read(StorageKeys.drainRate).value)
    storage.reject(unknownTo: StorageKeys.all)
    let broker = BrokerSection(reader.section("broker"), context)
    let presence = PresenceSection(reader.section("presence"), broker: broker)
    let topic = reader.read(ConfigurationKeys.topic)
    for field in [topic, presence.topic] {
      if let written = field.written, let doubt = field.value.doubt {
        context.log.warning(written.value, written.path, doubt)
      }
    }
    let health = reader.section("health")
    let healthInterval = health.read(HealthKeys.interval)
    health.reject(unknownTo: HealthKeys.all)
    let metrics = reader.section("metrics")
    let metricsAddress = metrics.read(MetricsKeys.listen).value
    metrics.reject(unknownTo: MetricsKeys.all)
    let inputs = InputSection(reader.list("inputs"))
    let sensors = SensorSection(reader.list("sensors"))
    let commands = reader.read(ConfigurationKeys.commands)
    let takesCommands = commands.value == .on
    let outputs = OutputSection(
      reader.list("outputs"), keepalive: broker.keepalive, commands: commands, lines: inputs.lines)
    if takesCommands, let first = outputs.names.first { checkCommands(topic, first, context.log) }
    let names = inputs.names + sensors.names + outputs.names
    let discovery = DiscoverySections(reader)
    if !id.isWrong {
      ReadingRules(
        device: id.value, topic: topic, presence: presence.topic, publishesHealth: healthInterval.value > .zero,
        log: context.log
      ).check(names)
      DiscoveryRules(sections: discovery, device: id.value, topic: topic, presence: presence.topic, log: context.log)
        .check(names, sensors.sensors)
    }
    let configuration = Configuration(
      device: Device(id: id.value, name: displayName ?? context.hostName), broker: broker.broker,
      presence: presence.presence,
      storage: stored, topic: topic.value, format: reader.read(ConfigurationKeys.format).value,
      qos: reader.read(ConfigurationKeys.qos).value, expiry: reader.read(ConfigurationKeys.expiry).value,
      inputs: inputs.inputs, sensors: sensors.sensors, outputs: outputs.outputs,
      takesCommands: takesCommands,
      health: Health(interval: healthInterval.value),
      metricsFile: reader.read(ConfigurationKeys.metricsFile).value, metricsAddress: metricsAddress,
      homeAssistant: discovery.homeAssistant, homie: discovery.homie,
      control: control(reader.read(ConfigurationKeys.control).value, stored, context))
    reader.reject(unknownTo: ConfigurationKeys.all)
    if let board = context.board, !context.log.hasErrors {
      for objection in board(configuration) {
        guard let written = outputs.places[objection.output]?[objection.key] else { continue }
        if objection.isWarning {
          context.log.warning(written.key, written.path, objection.message)
        } else {
          context.log.error(written.key, written.path, objection.message)
        }
      }
    }
    return configuration
  }

  /// The filter for commands, with `+` in the place of the name.
  ///
  /// - Parameter output: the first of them.
  private static func checkCommands(_ topic: Field<TopicTemplate>, _ output: NamedReading, _ log: DiagnosticLog) {
    let levels = topic.value.description.split(separator: "/").filter { $0.contains("{name}") }
    guard !topic.isWrong, levels != ["{name}"], let written = topic.written else { return }
    log.error(
      written.value, written.path,
      "commands for \(quoted(output.name)) need {name} as a level of its own in topic: one subscription must receive them and limpet's "
        + "own message, which separates old commands from new ones; write topic: \(ConfigurationKeys.topic.standard), or "
        + "commands: off")
  }

  private static func control(_ path: String?, _ storage: Storage, _ context: ReadingContext) -> String {
    if let path { return context.resolve(path) }
    // systemd separates several runtime folders by colons.
    let runtime = context.environment["RUNTIME_DIRECTORY"]?.split(separator: ":").first
    return "\(runtime.map(String.init) ?? storage.path)/limpet.sock"
  }
}
