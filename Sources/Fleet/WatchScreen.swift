internal import Glibc

/// The terminal while a table is shown: another screen, no cursor, keys without Enter. All of it is undone by `leave`.
struct WatchScreen {
  private let output: Int32
  /// Where keys come from; nil: standard input is no terminal.
  let input: Int32?
  private var settings: termios?

  /// nil: there is no terminal that can do this, or it is another program's: a process in the background that changes
  /// its terminal's settings is stopped (SIGTTOU).
  init?(output: Int32, input: Int32, term: String?) {
    guard isatty(output) == 1, let term, term != "dumb", !term.isEmpty else { return nil }
    // Of a terminal that does not control this session there is no such group.
    let foreground = tcgetpgrp(output)
    guard foreground < 0 || foreground == getpgrp() else { return nil }
    self.output = output
    self.input = isatty(input) == 1 ? input : nil
  }

  /// Columns and rows (TIOCGWINSZ of ioctl_tty(2)); 80 and 24 where the terminal does not say.
  var size: (columns: Int, rows: Int) {
    var size = winsize()
    guard ioctl(output, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0, size.ws_row > 0 else { return (80, 24) }
    return (Int(size.ws_col), Int(size.ws_row))
  }

  /// What to write first: the alternate screen, no cursor, no wrapping of lines that are too wide.
  mutating func enter() -> String {
    if let input {
      var now = termios()
      if tcgetattr(input, &now) == 0 {
        settings = now
        // Signals stay keys: ^C ends it, ^Z suspends it.
        now.c_lflag &= ~tcflag_t(ICANON | ECHO)
        tcsetattr(input, TCSANOW, &now)
      }
    }
    return "\u{1B}[?1049h\u{1B}[?25l\u{1B}[?7l"
  }

  /// What to write last.
  mutating func leave() -> String {
    if let input, var settings { tcsetattr(input, TCSANOW, &settings) }
    settings = nil
    return "\u{1B}[?7h\u{1B}[?25h\u{1B}[?1049l"
  }

  /// A frame over the one before it: every line's rest and all below is cleared.
  static func frame(_ lines: [String]) -> String {
    "\u{1B}[H" + lines.map { "\($0)\u{1B}[K" }.joined(separator: "\n") + "\u{1B}[J"
  }
}
