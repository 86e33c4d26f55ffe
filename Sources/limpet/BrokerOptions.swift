import ArgumentParser
import Configuration

/// `--config` and `--url`, for the commands that talk to a broker.
struct BrokerOptions: ParsableArguments {
  @OptionGroup var options: ConfigurationOptions

  @Option(name: .long, help: "Connect here, and not to the configuration's broker.url.")
  var url: String?

  /// What `--url` says.
  func brokerURL() throws -> BrokerURL? {
    guard let url else { return nil }
    do { return try BrokerURL(argument: url) } catch { throw ValidationError("--url: \(error)") }
  }

  /// With `--url` a machine without a configuration will do.
  func configuration() throws -> Configuration {
    let url = try brokerURL()
    if let url, options.config == Configuration.standardPath,
      let bare = Configuration.bare(unlessExists: options.config, url: url)
    {
      return bare
    }
    var configuration = try options.load(report: StandardError.write)
    if let url { configuration.broker.urls = [url] }
    return configuration
  }
}
