import Configuration
import Glibc
import LimpetText

/// A stream that may be a terminal: there, lines are broken between words.
struct Terminal {
  let descriptor: Int32

  var isTerminal: Bool { isatty(descriptor) == 1 }

  /// A line as it is to be written; for programs and files it stays as it is.
  func lines(_ line: String) -> [String] {
    guard isTerminal else { return [line] }
    var size = winsize()
    let isKnown = ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0
    return Wrapping.lines(line, width: isKnown ? Int(size.ws_col) : 80)
  }

  /// What is said of a configuration, with the line it is about where a person reads it.
  func lines(_ diagnostic: Diagnostic, of result: LoadResult) -> [String] {
    lines("\(diagnostic)") + (isTerminal ? result.excerpts.excerpt(of: diagnostic) : [])
  }
}
