internal import CYAML

/// One step of libyaml's parser, copied out of C, and where it begins.
struct Event {
  enum Kind {
    case scalar(Scalar, Properties)
    case alias(String)
    case sequenceStart(Properties)
    case sequenceEnd
    case mappingStart(Properties)
    case mappingEnd
    case documentStart
    case documentEnd
    case streamStart
    case streamEnd
  }

  /// What may stand before a node: `&anchor` and `!tag`.
  struct Properties {
    var anchor: String?
    var tag: String?
  }

  var position: Position
  var kind: Kind
}

/// libyaml's parser. Each C event is copied and freed before `next` returns, the parser with the last reference, so no
/// path leaks.
final class EventStream {
  private let parser: UnsafeMutablePointer<yaml_parser_t>
  private let source: UnsafeBufferPointer<UInt8>
  private let file: Int

  /// - Parameter source: checked text, not empty (libyaml asserts it); it must outlive the stream.
  init(_ source: UnsafeBufferPointer<UInt8>, file: Int) throws(Problem) {
    self.source = source
    self.file = file
    parser = .allocate(capacity: 1)
    guard yaml_parser_initialize(parser) == 1 else {
      parser.deallocate()
      throw Problem(position: Position(line: 1, column: 1), message: "out of memory; close other programs")
    }
    yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING)
    yaml_parser_set_input_string(parser, source.baseAddress, source.count)
  }

  deinit {
    yaml_parser_delete(parser)
    parser.deallocate()
  }

  /// The next event; a syntax error is thrown at libyaml's problem mark.
  func next() throws(Problem) -> Event {
    var event = yaml_event_t()
    guard yaml_parser_parse(parser, &event) == 1 else { throw problem() }
    defer { yaml_event_delete(&event) }
    var position = Position(event.start_mark)
    position.file = file
    return Event(position: position, kind: try Self.kind(of: event))
  }

  private static func kind(of event: yaml_event_t) throws(Problem) -> Event.Kind {
    switch event.type {
    case YAML_SCALAR_EVENT:
      let scalar = event.data.scalar
      let text = String(decoding: UnsafeBufferPointer(start: scalar.value, count: scalar.length), as: UTF8.self)
      let tag = string(scalar.tag)
      // `!!str null` and `! null` say that text is meant.
      let isPlain = scalar.style == YAML_PLAIN_SCALAR_STYLE && tag == nil
      return .scalar(Scalar(text: text, isPlain: isPlain), .init(anchor: string(scalar.anchor), tag: tag))
    case YAML_ALIAS_EVENT:
      return .alias(string(event.data.alias.anchor) ?? "")
    case YAML_SEQUENCE_START_EVENT:
      let start = event.data.sequence_start
      return .sequenceStart(.init(anchor: string(start.anchor), tag: string(start.tag)))
    case YAML_MAPPING_START_EVENT:
      let start = event.data.mapping_start
      return .mappingStart(.init(anchor: string(start.anchor), tag: string(start.tag)))
    case YAML_SEQUENCE_END_EVENT: return .sequenceEnd
    case YAML_MAPPING_END_EVENT: return .mappingEnd
    case YAML_DOCUMENT_START_EVENT: return .documentStart
    case YAML_DOCUMENT_END_EVENT: return .documentEnd
    case YAML_STREAM_START_EVENT: return .streamStart
    // libyaml answers YAML_NO_EVENT past the end of the stream.
    default: return .streamEnd
    }
  }

  private static func string(_ text: UnsafeMutablePointer<yaml_char_t>?) -> String? {
    text.map { String(cString: $0) }
  }

  private func problem() -> Problem {
    let failed = parser.pointee
    guard failed.error != YAML_MEMORY_ERROR else {
      return Problem(position: Position(failed.mark), message: "out of memory; close other programs")
    }
    let position = Position(failed.problem_mark)
    let error = SyntaxError(
      problem: failed.problem.map { String(cString: $0) } ?? "the text cannot be parsed",
      context: failed.context.map { String(cString: $0) },
      contextLine: Position(failed.context_mark).line,
      character: SourceText.character(at: position, in: source))
    return Problem(position: position, message: error.message)
  }
}

extension Position {
  /// libyaml's marks begin at 0.
  init(_ mark: yaml_mark_t) {
    self.init(line: Int(mark.line) + 1, column: Int(mark.column) + 1)
  }
}
