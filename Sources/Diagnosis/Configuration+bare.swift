import Configuration
internal import Glibc
import LimpetText

extension BrokerURL {
  /// Reads a URL of the command line, by the rules of `broker.url`.
  public init(argument: String) throws(ArgumentError) {
    do { self = try BrokerURL(argument) } catch { throw ArgumentError(description: error.message) }
  }
}

extension Configuration {
  /// All defaults and one broker, for a machine that has no configuration; nil where there is a file.
  public static func bare(unlessExists path: String, url: BrokerURL) -> Configuration? {
    guard access(path, F_OK) != 0 else { return nil }
    // The broker's own address is put in place afterwards: a URL needs no quoting then.
    var configuration = load(bytes: Array("broker: {url: mqtt://localhost}".utf8), path: path).configuration
    configuration?.broker.urls = [url]
    return configuration
  }

  /// What a rehearsal runs on a machine without a configuration: one reading every 10 s; nil: the file is there.
  public static func rehearsed(unlessExists path: String) -> Configuration? {
    guard access(path, F_OK) != 0, errno == ENOENT else { return nil }
    let text = """
      broker: {url: mqtt://localhost}
      sensors: [{name: reading, type: system, value: load1, interval: 10s}]
      """
    return load(bytes: Array(text.utf8), path: path).configuration
  }
}
