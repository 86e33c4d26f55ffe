import MQTTCore

extension StorageError.Words {
  /// limpet's: its configuration says where the store is.
  package static let limpet = Self(
    program: "limpet", kind: "limpet", folder: "storage.path", another: "another storage.path")
}

extension StorageError {
  /// As limpet's user is to read it.
  package var inLimpetsWords: StorageError {
    var error = self
    error.words = .limpet
    return error
  }
}
