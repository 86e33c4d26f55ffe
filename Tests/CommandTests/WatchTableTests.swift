import Foundation
import LimpetInstants
import MQTT
import MQTTCore
import NIOCore
import TestScene
import Testing

extension WatchTests {
  /// `limpet watch` on a terminal of its own (script(1)), in a shell that shows what is left of the terminal's settings.
  private struct Terminal {
    let scene: Scene
    let script: Child
    let keys: Int32

    init(_ scene: Scene, _ broker: Mosquitto) throws {
      self.scene = scene
      let fifo = scene.folder + "/keys"
      try #require(mkfifo(fifo, 0o600) == 0)
      // Both ways: nobody has to be there at the other end.
      keys = open(fifo, O_RDWR | O_CLOEXEC)
      let folder = scene.folder
      let inner = """
        stty rows 10 cols 70; tty > \(folder)/tty; stty -a > \(folder)/before
        sh -c 'echo $$ > \(folder)/pid; exec \(Scene.program) watch --url \(broker.url())'
        echo $? > \(folder)/status; stty -a > \(folder)/after
        """
      let file = try scene.write(inner, to: "inner.sh")
      script = try scene.spawn(
        "script", ["sh", "-c", "exec script -qfc 'sh \(file)' \(folder)/screen < \(fifo)"],
        environment: ["TERM": "xterm"])
    }

    func end() { close(keys) }

    func read(_ name: String) -> String {
      (try? Data(contentsOf: URL(fileURLWithPath: scene.folder + "/" + name)))
        .map { String(decoding: $0, as: UTF8.self) } ?? ""
    }

    /// The last frame, without what is behind it.
    var frame: String { read("screen").components(separatedBy: "\u{1B}[H").last ?? "" }

    func press(_ key: String) { _ = write(keys, key, key.utf8.count) }
  }

  @Test(
    "on a terminal: a table that follows changes and the window, and leaves the terminal as it was",
    arguments: [nil, SIGTERM, SIGINT, SIGHUP] as [Int32?])
  func table(_ signal: Int32?) async throws {
    try await withScene { scene in
      let broker = try await scene.mosquitto()
      for device in ["a", "b", "c"] { try await keep(scene, broker, "limpet/\(device)/status", "online") }
      let terminal = try Terminal(scene, broker)
      defer { terminal.end() }
      try await until("the table is there") {
        terminal.frame.contains("3 online") && terminal.frame.contains("q quits")
      }
      #expect(terminal.read("screen").contains("\u{1B}[?1049h"))
      try await keep(scene, broker, "limpet/c/status", "offline")
      try await until("c is the first") {
        let lines = terminal.frame.split(whereSeparator: \.isNewline)
        return lines.count > 3 && lines[2].contains("c ") && lines[2].contains("offline")
      }
      #expect(terminal.frame.contains("1 offline, 2 online"))

      let resize = try await scene.run(
        "stty",
        ["stty", "-F", terminal.read("tty").trimmingCharacters(in: .whitespacesAndNewlines), "rows", "5", "cols", "20"])
      try #require(resize.ending == .exited(0))
      // stty sets rows and columns one after the other: there is a window of few rows and many columns between.
      try await until("it follows the window") {
        terminal.frame.contains("... 1 to 1 of 3") && terminal.frame.hasPrefix("1 offline, 2 online \u{1B}[K")
      }

      if let signal {
        kill(try #require(pid_t(terminal.read("pid").trimmingCharacters(in: .whitespacesAndNewlines))), signal)
      } else {
        terminal.press("q")
      }
      // The shell goes on and ends, and script(1) has written all that there was on the screen.
      try await terminal.script.end()
      #expect(terminal.read("status") == "0\n")
      #expect(terminal.read("screen").contains("\u{1B}[?7h\u{1B}[?25h\u{1B}[?1049l"))
      // The window was made smaller.
      func settings(_ name: String) -> String { terminal.read(name).components(separatedBy: ";").dropFirst(3).joined() }
      #expect(!settings("before").isEmpty && settings("before") == settings("after"))
    }
  }

  @Test("in the background of a shell it runs on, and prints lines: the terminal is the shell's")
  func background() async throws {
    try await withScene { scene in
      let broker = try await scene.mosquitto()
      let folder = scene.folder
      let inner = """
        set -m
        \(Scene.program) watch --url \(broker.url()) & echo $! > \(folder)/pid
        until [ -e \(folder)/end ]; do sleep 0.1; done
        kill $!; wait $!; echo $? > \(folder)/status
        """
      let file = try scene.write(inner, to: "inner.sh")
      // Nobody presses a key.
      let fifo = folder + "/keys"
      try #require(mkfifo(fifo, 0o600) == 0)
      let keys = open(fifo, O_RDWR | O_CLOEXEC)
      defer { close(keys) }
      let script = try scene.spawn(
        "script", ["sh", "-c", "exec script -qfc 'sh \(file)' \(folder)/screen < \(fifo)"],
        environment: ["TERM": "xterm"])
      func read(_ name: String) -> String {
        (try? Data(contentsOf: URL(fileURLWithPath: folder + "/" + name))).map { String(decoding: $0, as: UTF8.self) }
          ?? ""
      }
      try await keep(scene, broker, "limpet/a/status", "online")
      try await until("the line of a") { read("screen").contains(" a online") }
      #expect(!read("screen").contains("\u{1B}[?1049h"))
      _ = try scene.write("", to: "end")
      try await script.end()
      #expect(read("status") == "0\n")
    }
  }
}
