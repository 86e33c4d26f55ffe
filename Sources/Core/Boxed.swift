/// A value that lies elsewhere: what few agents have takes no room in those that have none.
struct Boxed<Value: Sendable>: Sendable {
  /// One, always: an array lies elsewhere, and is changed in place.
  private var place: [Value]

  init(_ value: Value) { place = [value] }

  var value: Value {
    get { place[0] }
    _modify { yield &place[0] }
  }
}
