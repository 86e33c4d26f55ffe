import MQTTCore
import Records

/// What goes wrong in there, as limpet's user is to read it.
func inLimpetsWords<Value: ~Copyable>(
  _ body: () throws(StorageError) -> Value
) throws(StorageError) -> Value {
  do throws(StorageError) { return try body() } catch { throw error.inLimpetsWords }
}
