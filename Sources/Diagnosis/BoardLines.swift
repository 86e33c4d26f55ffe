import Configuration
import LimpetPlatform
import Measuring
import Sensing

/// The GPIO lines of a configuration on its board: which they are, what the kernel does with an output that nobody
/// holds, and which rules that breaks.
public struct BoardLines: Sendable {
  struct Output: Sendable {
    var place: GPIOPlace
    var released: ReleasedLine
    /// Its other holder; nil: nobody, or limpet.
    var holder: String?
  }

  /// By name.
  private let outputs: [String: Result<Output, GPIOError>]
  private let inputs: [(name: String, places: [GPIOPlace])]
  private let configuration: Configuration

  init(_ configuration: Configuration, in inventory: GPIOInventory, root: FileRoot) {
    self.configuration = configuration
    inputs = configuration.inputs.map { input in
      let lines = [input.gpio, input.gpio.second].compactMap { $0 }
      return (
        input.name,
        lines.compactMap { line in try? Self.found { () throws(GPIOError) in try line.place(in: inventory) }.0 }
      )
    }
    var outputs: [String: Result<Output, GPIOError>] = [:]
    for output in configuration.outputs {
      guard case .gpio(let line) = output.request else { continue }
      do throws(GPIOError) {
        let (place, holder) = try Self.found { () throws(GPIOError) in try line.place(in: inventory) }
        outputs[output.name] = .success(
          Output(place: place, released: ReleasedLine(of: place, root: root), holder: holder))
      } catch {
        outputs[output.name] = .failure(error)
      }
    }
    self.outputs = outputs
  }

  /// A line that the daemon holds, or another, is found as well.
  private static func found(
    _ body: () throws(GPIOError) -> GPIOPlace
  ) throws(GPIOError) -> (GPIOPlace, holder: String?) {
    do throws(GPIOError) { return (try body(), nil) } catch {
      switch error {
      case .busy(let place, "limpet"?), .output(let place): return (place, nil)
      case .busy(let place, let consumer): return (place, consumer ?? "another program or a driver")
      default: throw error
      }
    }
  }

  /// nil: it is no GPIO line.
  subscript(_ name: String) -> Result<Output, GPIOError>? { outputs[name] }

  /// - Parameter isCheck: two entries of one line are an error; else `run` goes on: it never drives the later one.
  public func objections(isCheck: Bool) -> [BoardObjection] {
    let known = configuration.twins(isCheck: isCheck)
    let found = twins(isCheck: isCheck).filter { twin in !known.contains { $0.output == twin.output } }
    return configuration.outputs.compactMap(stopObjection) + known + found
  }

  /// An output that is to be on when nobody holds it must be able to stay on.
  private func stopObjection(_ output: OutputConfiguration) -> BoardObjection? {
    let stop = output.rules.stop
    guard stop == .on || stop == .keep, case .success(let found)? = outputs[output.name], found.released != .stays
    else {
      return nil
    }
    return BoardObjection(
      output: output.name, key: .stop,
      message: "\(stop.rawValue) needs a line that stays as it is; of \(found.place), "
        + "\(found.released.sentence(aboutChip: found.place.chipLabel)); write off")
  }

  private struct Line: Hashable {
    var path: String
    var offset: UInt32

    init(_ place: GPIOPlace) { (path, offset) = (place.path, place.offset) }
  }

  private func isOutput(_ name: String) -> Bool { configuration.outputs.contains { $0.name == name } }

  /// A line by its name and by its number is one line.
  private func twins(isCheck: Bool) -> [BoardObjection] {
    var owners: [Line: String] = [:]
    for (name, places) in inputs { for place in places { owners[Line(place)] = name } }
    return configuration.outputs.compactMap { output in
      guard case .success(let found)? = outputs[output.name] else { return nil }
      // The first one has it.
      guard let owner = owners[Line(found.place)] else {
        owners[Line(found.place)] = output.name
        return nil
      }
      return BoardObjection(
        output: output.name, key: .line, isWarning: !isCheck,
        message:
          "it is \(found.place), which \(owner) is too\(BoardObjection.choice(isCheck: isCheck || !isOutput(owner)))")
    }
  }

  /// What the file alone shows, on a machine that is not the board.
  public static var offline: BoardJudge { { $0.twins(isCheck: true) } }

  /// Reads the board's chips.
  public static func judge(root: FileRoot, isCheck: Bool) -> BoardJudge {
    { configuration in
      let hasLines = configuration.outputs.contains { if case .gpio = $0.request { true } else { false } }
      guard hasLines else { return configuration.twins(isCheck: isCheck) }
      return BoardLines(configuration, in: GPIOInventory(root: root), root: root).objections(isCheck: isCheck)
    }
  }
}
