import MQTTCore
import Records

/// The words for errors of this store, for limpet's users.
func inLimpetsWords<Value: ~Copyable>(
  _ body: () throws(StorageError) -> Value
) throws(StorageError) -> Value {
  do throws(StorageError) { return try body() } catch { throw error.inLimpetsWords }
}
