import LimpetText

/// Makes events into a tree, and expands aliases and merge keys within the limits.
///
/// Aliased values share their storage, so an alias costs no memory; it is charged to the budgets all the same, because
/// whoever reads the tree walks it in full. That also ends alias bombs before the tree is larger than the limit.
struct TreeBuilder {
  /// A node with what it costs to repeat it.
  private struct Measured {
    var node: Node
    var nodes: Int
    var text: Int
    var height: Int

    /// Counts a child in.
    mutating func add(_ child: Self) {
      nodes += child.nodes
      text += child.text
      height = max(height, child.height + 1)
    }
  }

  private enum Anchor {
    /// Its value is still being read, so an alias to it would hold itself.
    case open
    case complete(Measured)
  }

  private let events: EventStream
  private var anchors: [String: Anchor] = [:]
  private var nodes = 0
  private var text = 0
  private(set) var problems: [Problem] = []

  init(events: EventStream) {
    self.events = events
  }

  /// The root of the only document; nil for an empty file.
  mutating func document() throws(Problem) -> Node? {
    _ = try events.next()  // the start of the stream
    guard case .documentStart = try events.next().kind else { return nil }
    let root = try node(from: try events.next(), depth: 1)
    _ = try events.next()  // the end of the document
    let next = try events.next()
    if case .documentStart = next.kind {
      throw Problem(
        position: next.position, message: "a second document begins here; write one document, without \"---\"")
    }
    return root.node
  }

  /// - Parameter isItem: of a list.
  private mutating func node(from event: Event, depth: Int, isItem: Bool = false) throws(Problem) -> Measured {
    guard depth <= Document.Limit.depth else { throw tooDeep(event.position) }
    switch event.kind {
    case .scalar(let scalar, let properties):
      let size = scalar.text.utf8.count
      try charge(nodes: 1, text: size, at: event.position)
      let node = Node(position: event.position, value: .scalar(scalar))
      return try close(
        Measured(node: node, nodes: 1, text: size, height: 1), properties, at: event.position)
    case .sequenceStart(let properties):
      try charge(nodes: 1, text: 0, at: event.position)
      open(properties)
      return try close(try sequence(at: event.position, depth: depth), properties, at: event.position)
    case .mappingStart(let properties):
      try charge(nodes: 1, text: 0, at: event.position)
      open(properties)
      return try close(try mapping(at: event.position, depth: depth, isItem: isItem), properties, at: event.position)
    case .alias(let name):
      return try expand(name, at: event.position, depth: depth)
    default:
      // libyaml's grammar puts a node here; only a change of libyaml could end in this line.
      throw Problem(position: event.position, message: "a value was expected; write one")
    }
  }

  private mutating func sequence(at position: Position, depth: Int) throws(Problem) -> Measured {
    var whole = Measured(node: Node(position: position, value: .sequence([])), nodes: 1, text: 0, height: 1)
    var items: [Node] = []
    while true {
      let event = try events.next()
      if case .sequenceEnd = event.kind { break }
      let item = try node(from: event, depth: depth + 1, isItem: true)
      whole.add(item)
      items.append(item.node)
    }
    whole.node.value = .sequence(items)
    return whole
  }

  private mutating func mapping(at position: Position, depth: Int, isItem: Bool) throws(Problem) -> Measured {
    var whole = Measured(node: Node(position: position, value: .mapping([])), nodes: 1, text: 0, height: 1)
    var entries: [Entry] = []
    var lines: [String: Int] = [:]
    var merged: [Entry] = []
    while true {
      let event = try events.next()
      if case .mappingEnd = event.kind { break }
      let key = try node(from: event, depth: depth + 1)
      let value = try node(from: try events.next(), depth: depth + 1)
      whole.add(key)
      whole.add(value)
      guard case .scalar(let scalar) = key.node.value else {
        problems.append(
          Problem(position: event.position, message: "a key cannot be \(key.node.kind); write a word"))
        continue
      }
      let isMerge = scalar.isPlain && scalar.text == "<<"
      if let line = lines[scalar.text] {
        let another = isItem ? ", or begin another entry with \"- \"" : ""
        let advice = isMerge ? "; write <<: [*a, *b]" : "; remove one of them\(another)"
        problems.append(
          Problem(
            position: event.position,
            message: "duplicate key \(quoted(scalar.text)); it is already set on line \(line)\(advice)"))
        continue
      }
      lines[scalar.text] = event.position.line
      if isMerge {
        merged += mergeable(value.node, at: event.position)
      } else {
        entries.append(Entry(key: scalar.text, keyPosition: event.position, value: value.node))
      }
    }
    // The mapping's own keys win, then the mappings merged earlier.
    var taken = Set(entries.map(\.key))
    entries += merged.filter { taken.insert($0.key).inserted }
    whole.node.value = .mapping(entries)
    return whole
  }

  /// What `<<` brings in: one mapping, or a list of them.
  private mutating func mergeable(_ node: Node, at position: Position) -> [Entry] {
    let sources: [Node] =
      switch node.value {
      case .sequence(let nodes): nodes
      default: [node]
      }
    var entries: [Entry] = []
    for source in sources {
      guard case .mapping(let found) = source.value else {
        problems.append(
          Problem(position: position, message: "\"<<\" merges mappings, not \(source.kind); write <<: *anchor"))
        continue
      }
      entries += found
    }
    return entries
  }

  private mutating func expand(_ name: String, at position: Position, depth: Int) throws(Problem) -> Measured {
    switch anchors[name] {
    case .complete(let measured):
      try charge(nodes: measured.nodes, text: measured.text, at: position)
      guard depth + measured.height - 1 <= Document.Limit.depth else { throw tooDeep(position) }
      return measured
    case .open:
      throw Problem(
        position: position,
        message: "*\(name) stands inside &\(name) itself; an alias cannot contain itself")
    case nil:
      throw Problem(
        position: position,
        message: "*\(name) is not known; put it in quotes if it is a text, or write &\(name) at an earlier value")
    }
  }

  private mutating func open(_ properties: Event.Properties) {
    if let anchor = properties.anchor { anchors[anchor] = .open }
  }

  private mutating func close(
    _ measured: Measured, _ properties: Event.Properties, at position: Position
  ) throws(Problem) -> Measured {
    // YAML's own tags state a type, and types are decided by the reader; any other tag would be ignored in silence.
    if let tag = properties.tag, tag != "!", !tag.hasPrefix("tag:yaml.org,2002:") {
      let advice =
        switch tag {
        case "!secret": "; write \"${file:PATH}\" for the first line of a file, in quotes"
        case "!env_var", "!ENV", "!env": "; write \"${NAME}\" for a variable of the environment, in quotes"
        case "!include": "; write include: FILE at the top level"
        default: "; remove it"
        }
      throw Problem(position: position, message: "the tag \(quoted(tag)) has no meaning here\(advice)")
    }
    if let anchor = properties.anchor { anchors[anchor] = .complete(measured) }
    return measured
  }

  private mutating func charge(nodes count: Int, text size: Int, at position: Position) throws(Problem) {
    nodes += count
    text += size
    guard nodes <= Document.Limit.nodes else {
      throw Problem(
        position: position, message: "more than 100,000 keys and values; write fewer, or use fewer aliases")
    }
    guard text <= Document.Limit.text else {
      throw Problem(position: position, message: "more than 4 MiB of text; use fewer aliases")
    }
  }

  private func tooDeep(_ position: Position) -> Problem {
    Problem(position: position, message: "nested deeper than 64 levels; write it flatter")
  }
}
