import JSON

/// The declarations as a JSON Schema (2020-12), for editors and other programs.
///
/// It describes what a YAML reader makes of a file: `5`, `on` or `1e3` may arrive as a number, a flag or a text, and
/// limpet reads all of them as the key expects. It leaves rules for two keys, or for units, to `limpet check`.
public struct JSONSchema {
  private let isIncluded: Bool

  /// - Parameter isIncluded: for the files that `include` names: no key is required there, as another file may have it.
  public init(isIncluded: Bool) {
    self.isIncluded = isIncluded
  }

  public var text: String { root.indented }

  private var root: JSONValue {
    let declarations = Configuration.declarations.filter { !isIncluded || $0.name != ConfigurationKeys.include.name }
    var fields: [(String, JSONValue)] = [
      ("$schema", .text("https://json-schema.org/draft/2020-12/schema")),
      ("title", .text("limpet.yaml")),
      ("description", .text("The configuration of limpet; limpet.yaml(5).")),
      ("type", .text("object")),
      ("properties", properties(declarations)),
      ("additionalProperties", .flag(false)),
    ]
    if !isIncluded {
      // With `include`, what is required may stand in another file.
      fields.append(
        ("if", .object([("not", .object([("required", .texts([ConfigurationKeys.include.name]))]))])))
      fields.append(("then", requirements(declarations)))
    }
    fields.append(
      (
        "$defs",
        .object([
          (
            "substituted",
            .object([
              ("description", .text("${NAME} from the environment, ${file:PATH} the first line of a file.")),
              ("type", .text("string")), ("pattern", .text(#"(^|[^$])\$\{"#)),
            ])
          )
        ])
      ))
    return .object(fields)
  }

  /// What must be there, in the file and in its sections.
  private func requirements(_ declarations: [Declaration]) -> JSONValue {
    var names: [String] = []
    var sections: [(String, JSONValue)] = []
    for declaration in declarations {
      if declaration.isRequired { names.append(declaration.name) }
      if case .section(let keys) = declaration.content, keys.contains(where: \.isRequired) {
        names.append(declaration.name)
        sections.append((declaration.name, requirements(keys)))
      }
    }
    return .object([
      ("required", .texts(names)), ("properties", .object(sections)), ("type", .text("object")),
    ])
  }

  private func properties(_ declarations: [Declaration]) -> JSONValue {
    .object(declarations.map { ($0.name, property($0)) })
  }

  private func property(_ declaration: Declaration) -> JSONValue {
    let bounds = declaration.content.shape?.bounds
    var fields: [(String, JSONValue)] = [
      ("description", .text(declaration.help + (bounds.map { " (\($0))" } ?? "")))
    ]
    switch declaration.content {
    case .scalar(let shape):
      if let standard = declaration.standard { fields.append(("default", ScalarSchema(shape).value(standard))) }
      fields.append(("anyOf", .list(scalar(shape))))
    case .scalars(let shape):
      let alternatives = scalar(shape)
      let items = JSONValue.object([
        ("type", .text("array")), ("minItems", .integer(1)), ("items", .object([("anyOf", .list(alternatives))])),
      ])
      fields.append(("anyOf", .list(alternatives + [items])))
    case .section(let keys):
      fields += [
        ("type", .texts(["object", "null"])), ("properties", properties(keys)), ("additionalProperties", .flag(false)),
      ]
    case .texts:
      fields += [
        ("type", .text("object")), ("minProperties", .integer(1)),
        (
          "additionalProperties",
          .object([("type", .texts(["string", "number", "boolean", "null"]))])
        ),
      ]
    case .entries(let common, let selector, let variants):
      fields += [("type", .texts(["array", "null"])), ("items", entry(common, selector, variants))]
    }
    return .object(fields)
  }

  private func scalar(_ shape: Declaration.Shape) -> [JSONValue] {
    ScalarSchema(shape).alternatives.map { .object($0) } + [.object([("$ref", .text("#/$defs/substituted"))])]
  }

  /// One mapping of a list. Each variant closes the object for itself, as readers of older drafts understand it too.
  private func entry(_ common: [Declaration], _ selector: String?, _ variants: [Declaration.Variant]) -> JSONValue {
    var fields: [(String, JSONValue)] = [
      ("type", .text("object")), ("required", .texts(common.filter(\.isRequired).map(\.name))),
      ("properties", properties(common)),
    ]
    guard let selector else { return .object(fields + [("additionalProperties", .flag(false))]) }
    let choices = variants.map { variant -> JSONValue in
      let condition: JSONValue = .object([
        ("properties", .object([(selector, .object([("const", .text(variant.name))]))])),
        ("required", .texts([selector])),
      ])
      let consequence: JSONValue = .object([
        (
          "properties",
          .object(common.map { ($0.name, .flag(true)) } + variant.keys.map { ($0.name, property($0)) })
        ),
        ("required", .texts(variant.keys.filter(\.isRequired).map(\.name))), ("additionalProperties", .flag(false)),
      ])
      return .object([("if", condition), ("then", consequence)])
    }
    fields.append(("allOf", .list(choices)))
    return .object(fields)
  }
}
