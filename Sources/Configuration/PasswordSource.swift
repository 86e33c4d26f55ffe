import LimpetText

/// Where the broker's password comes from: the configuration, a file, or systemd.
package struct PasswordSource {
  /// systemd's name for it (systemd.exec(5), LoadCredential=).
  package static let credential = "limpet.password"
  /// [MQTT-1.5.6]: binary data has at most 65535 bytes; one more shows that a file has more.
  private static let limit = 65536

  private let reader: MappingReader
  private let inline: Field<String?>
  private let file: Field<String?>

  package init(_ reader: MappingReader) {
    self.reader = reader
    inline = reader.read(BrokerKeys.password)
    file = reader.read(BrokerKeys.passwordFile)
  }

  /// - Parameter version: 3.1.1 has no password without a user name.
  package func password(_ version: Field<Configuration.ProtocolVersion>, _ context: ReadingContext) -> Secret? {
    let key = inline.written ?? file.written
    if version.value == .v311, let key, reader.position(of: BrokerKeys.username.name) == nil {
      reader.conflict(
        key, version.written, "MQTT 3.1.1 has no password without a user name; write username, or version: auto")
    }
    if inline.isWritten, file.isWritten {
      reader.conflict(inline.written, file.written, "password and password_file are both set; remove one of them")
      return nil
    }
    if let password = inline.value {
      if let written = inline.written {
        warn(of: written, context)
        warnOfComment(behind: password, at: written, context)
        if written.origin == .literal, password.hasPrefix("$"), !password.hasPrefix("${"), password.count > 2,
          password.dropFirst().allSatisfy({ $0 == "_" || $0.isASCII && ($0.isUppercase || $0.isNumber) })
        {
          context.log.warning(
            written.value, written.path,
            "the password is this text itself; the value of an environment variable is written ${NAME}")
        }
      }
      return Secret(password.utf8)
    }
    if let path = file.value, let written = file.written {
      let resolved = context.resolve(path)
      switch context.files.open(resolved, Self.limit + 1) {
      case .failure(let failure):
        context.log.error(
          written.value, written.path, ReadingContext.cannotRead(context.shown(resolved, written), failure))
        return nil
      case .success(let found):
        context.warn(of: found, resolved, written)
        return secret(in: found.bytes, of: context.shown(resolved, written), at: written, context)
      }
    }
    return inline.isWrong || file.isWrong ? nil : credential(context)
  }

  /// `password: abc #def` is "abc" and a comment.
  private func warnOfComment(behind password: String, at written: Written, _ context: ReadingContext) {
    guard written.origin == .literal else { return }
    let lines = context.log.file(of: written.value).bytes.split(
      separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
    guard lines.indices.contains(written.value.line - 1) else { return }
    let line = String(decoding: lines[written.value.line - 1], as: UTF8.self)
    let rest = line.unicodeScalars.dropFirst(written.value.column - 1)
    let text = String(String.UnicodeScalarView(rest))
    guard text.hasPrefix(password) else { return }
    let behind = text.dropFirst(password.count).drop { $0 == " " }
    // With a space behind it a comment is meant.
    guard behind.first == "#", let next = behind.dropFirst().first, next != " ", next != "#" else { return }
    context.log.warning(
      written.value, written.path,
      "the password ends before \" #\", where a comment begins; if that belongs to it, put it all in quotes")
  }

  /// The configuration, or a file that a `${file:PATH}` of it names, is readable to all.
  private func warn(of written: Written, _ context: ReadingContext) {
    switch written.origin {
    case .literal where context.log.file(of: written.value).isReadableByOthers:
      context.log.warning(
        written.value, written.path,
        "everyone on this device can read the password; use password_file, or chmod o-r this file")
    case .literal: break
    case .substituted(let openFiles):
      for file in openFiles {
        context.log.warning(
          written.value, written.path, "everyone on this device can read \(quoted(file)); chmod o-r it")
      }
    }
  }

  private func credential(_ context: ReadingContext) -> Secret? {
    guard let folder = context.environment["CREDENTIALS_DIRECTORY"], !folder.isEmpty else { return nil }
    let path = "\(folder)/\(Self.credential)"
    let place = Written(path: reader.path(to: BrokerKeys.password.name), key: reader.start, value: reader.start)
    switch context.files.open(path, Self.limit + 1) {
    case .failure(let failure):
      if !failure.isMissing { context.log.error(place.value, place.path, ReadingContext.cannotRead(path, failure)) }
      return nil
    case .success(let found):
      return secret(in: found.bytes, of: path, at: place, context)
    }
  }

  /// The first line; editors end it with a line feed that is no part of the password.
  private func secret(in bytes: [UInt8], of path: String, at written: Written, _ context: ReadingContext) -> Secret? {
    var line = bytes.prefix { $0 != UInt8(ascii: "\n") }
    if line.last == UInt8(ascii: "\r") { line.removeLast() }
    guard !line.isEmpty else {
      context.log.error(
        written.value, written.path, "the first line of \(quoted(path)) is empty; write the password there")
      return nil
    }
    guard line.count < Self.limit else {
      context.log.error(
        written.value, written.path, "the first line of \(quoted(path)) is too long; a password has at most 65535 bytes"
      )
      return nil
    }
    return Secret(line)
  }
}
