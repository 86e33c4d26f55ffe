import CMQTTSQLite
import Glibc
import LimpetInstants
import Synchronization

/// SQLite's input and output [sqlite.org/vfs.html] around the system's own: it fails when it is told to, counts what it is
/// asked for, and knows what would be left of each file if the power went now.
///
/// `@unchecked`: everything that changes is in `plan`.
final class UnreliableDisk: @unchecked Sendable {
  let name: String
  private let system: UnsafeMutablePointer<sqlite3_vfs>
  private let vfs: UnsafeMutablePointer<sqlite3_vfs>
  private let cName: UnsafeMutablePointer<CChar>
  private let methods: UnsafeMutablePointer<sqlite3_io_methods>

  struct Plan {
    var calls = 0
    /// These calls fail, by their number from 1 on.
    var failing: Range<Int> = 0..<0
    /// With this; the call has done nothing.
    var code = SQLITE_IOERR
    var bytesWritten = 0
    var syncs = 0
    /// What was synced of each file.
    var durable: [String: [UInt8]] = [:]
    /// What was not, in order; nil: the file's end is moved.
    var pending: [String: [(offset: Int, bytes: [UInt8]?)]] = [:]
  }
  let plan = Mutex(Plan())

  private static let number = Atomic<Int>(0)

  /// A power cut leaves the bytes beside those that were being written as they were, which the system promises of its
  /// disks; without that SQLite writes whole sectors.
  private let isPowersafe: Bool

  init(isPowersafe: Bool = false) {
    self.isPowersafe = isPowersafe
    system = sqlite3_vfs_find(nil)
    name = "unreliable-\(Self.number.add(1, ordering: .relaxed).newValue)"
    cName = strdup(name)
    vfs = .allocate(capacity: 1)
    methods = .allocate(capacity: 1)
    vfs.initialize(to: system.pointee)
    methods.initialize(to: Self.makeMethods())
    vfs.pointee.zName = UnsafePointer(cName)
    vfs.pointee.szOsFile = File.header + system.pointee.szOsFile
    vfs.pointee.pAppData = Unmanaged.passUnretained(self).toOpaque()
    vfs.pointee.pNext = nil
    vfs.pointee.xOpen = { vfs, path, file, flags, outFlags in UnreliableDisk.open(vfs, path, file, flags, outFlags) }
    vfs.pointee.xDelete = { vfs, path, sync in
      guard let vfs, let disk = UnreliableDisk.of(vfs) else { return SQLITE_ERROR }
      if let code = disk.call() { return code }
      let result = disk.system.pointee.xDelete(disk.system, path, sync)
      if result == SQLITE_OK, let path { disk.forget(String(cString: path)) }
      return result
    }
    vfs.pointee.xAccess = { vfs, path, flags, result in
      guard let vfs, let disk = UnreliableDisk.of(vfs) else { return SQLITE_ERROR }
      return disk.call() ?? disk.system.pointee.xAccess(disk.system, path, flags, result)
    }
    vfs.pointee.xFullPathname = { vfs, path, count, out in
      guard let vfs, let disk = UnreliableDisk.of(vfs) else { return SQLITE_ERROR }
      return disk.system.pointee.xFullPathname(disk.system, path, count, out)
    }
    sqlite3_vfs_register(vfs, 0)
  }

  deinit {
    sqlite3_vfs_unregister(vfs)
    vfs.deallocate()
    methods.deallocate()
    free(cName)
  }

  private static func of(_ vfs: UnsafeMutablePointer<sqlite3_vfs>) -> UnreliableDisk? {
    vfs.pointee.pAppData.map { Unmanaged<UnreliableDisk>.fromOpaque($0).takeUnretainedValue() }
  }

  /// What fails this call; nil: it goes on.
  private func call() -> Int32? {
    plan.withLock { plan in
      plan.calls += 1
      return plan.failing.contains(plan.calls) ? plan.code : nil
    }
  }

  private func forget(_ path: String) {
    plan.withLock { plan in
      plan.durable[path] = nil
      plan.pending[path] = nil
    }
  }

  /// Every file as it may be after the power went: what was synced, and of the rest what `survives` says, write by write.
  func cutPower(survives: () -> Bool) {
    let files = plan.withLock { ($0.durable, $0.pending) }
    for path in Set(files.0.keys).union(files.1.keys) {
      var bytes = files.0[path] ?? []
      for write in files.1[path] ?? [] where survives() { Self.apply(write, to: &bytes) }
      let descriptor = Glibc.open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
      guard descriptor >= 0 else { continue }
      _ = Glibc.write(descriptor, bytes, bytes.count)
      close(descriptor)
    }
  }

  private static func apply(_ write: (offset: Int, bytes: [UInt8]?), to file: inout [UInt8]) {
    guard let bytes = write.bytes else {
      file = Array(file.prefix(write.offset))
      return
    }
    if file.count < write.offset + bytes.count {
      file.append(contentsOf: repeatElement(0, count: write.offset + bytes.count - file.count))
    }
    file.replaceSubrange(write.offset..<write.offset + bytes.count, with: bytes)
  }

  // MARK: Files

  /// What SQLite's block of memory for a file holds: our part, then the system's.
  private struct File {
    static let header: Int32 = 32
    var base: sqlite3_file
    var disk: UnsafeMutableRawPointer
    var path: UnsafeMutablePointer<CChar>?

    static func of(_ file: UnsafeMutablePointer<sqlite3_file>?) -> UnsafeMutablePointer<File>? {
      file.map { UnsafeMutableRawPointer($0).assumingMemoryBound(to: File.self) }
    }
  }

  private static func open(
    _ vfs: UnsafeMutablePointer<sqlite3_vfs>?, _ path: UnsafePointer<CChar>?,
    _ file: UnsafeMutablePointer<sqlite3_file>?, _ flags: Int32, _ outFlags: UnsafeMutablePointer<Int32>?
  ) -> Int32 {
    guard let vfs, let disk = of(vfs), let file, let own = File.of(file) else { return SQLITE_ERROR }
    file.pointee.pMethods = nil
    if let code = disk.call() { return code == SQLITE_FULL ? SQLITE_CANTOPEN : code }
    let result = disk.system.pointee.xOpen(disk.system, path, real(file), flags, outFlags)
    guard result == SQLITE_OK else { return result }
    own.pointee.disk = Unmanaged.passUnretained(disk).toOpaque()
    own.pointee.path = path.flatMap { strdup($0) }
    own.pointee.base.pMethods = UnsafePointer(disk.methods)
    if let path { disk.adopt(String(cString: path)) }
    return SQLITE_OK
  }

  /// What is there when a file is opened is on the disk.
  private func adopt(_ path: String) {
    guard plan.withLock({ $0.durable[path] == nil }) else { return }
    let descriptor = Glibc.open(path, O_RDONLY)
    guard descriptor >= 0 else { return }
    defer { close(descriptor) }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65536)
    while case let count = read(descriptor, &buffer, buffer.count), count > 0 { bytes += buffer.prefix(count) }
    plan.withLock { $0.durable[path] = bytes }
  }

  private static func real(_ file: UnsafeMutablePointer<sqlite3_file>) -> UnsafeMutablePointer<sqlite3_file> {
    (UnsafeMutableRawPointer(file) + Int(File.header)).assumingMemoryBound(to: sqlite3_file.self)
  }

  /// One call on a file: fails as planned, or is the system's.
  private static func pass(
    _ file: UnsafeMutablePointer<sqlite3_file>?, counts: Bool = true,
    _ body: (UnsafeMutablePointer<sqlite3_file>, sqlite3_io_methods) -> Int32,
    then: (UnreliableDisk, String) -> Void = { _, _ in }
  ) -> Int32 {
    guard let file, let own = File.of(file), let methods = real(file).pointee.pMethods else { return SQLITE_ERROR }
    let disk = Unmanaged<UnreliableDisk>.fromOpaque(own.pointee.disk).takeUnretainedValue()
    if counts, let code = disk.call() { return code }
    let result = body(real(file), methods.pointee)
    if result == SQLITE_OK, let path = own.pointee.path { then(disk, String(cString: path)) }
    return result
  }

  private static func makeMethods() -> sqlite3_io_methods {
    var methods = sqlite3_io_methods()
    methods.iVersion = 1
    methods.xClose = { file in
      let result = UnreliableDisk.pass(file, counts: false, { $1.xClose($0) })
      if let own = File.of(file) { free(own.pointee.path) }
      return result
    }
    methods.xRead = { file, bytes, count, offset in
      UnreliableDisk.pass(file, { $1.xRead($0, bytes, count, offset) })
    }
    methods.xWrite = { file, bytes, count, offset in
      UnreliableDisk.pass(
        file, { $1.xWrite($0, bytes, count, offset) },
        then: { disk, path in
          let written = Array(UnsafeRawBufferPointer(start: bytes, count: Int(count)))
          disk.plan.withLock { plan in
            plan.bytesWritten += written.count
            plan.pending[path, default: []].append((Int(offset), written))
          }
        })
    }
    methods.xTruncate = { file, size in
      UnreliableDisk.pass(
        file, { $1.xTruncate($0, size) },
        then: { disk, path in disk.plan.withLock { $0.pending[path, default: []].append((Int(size), nil)) } })
    }
    methods.xSync = { file, flags in
      UnreliableDisk.pass(
        file, { $1.xSync($0, flags) },
        then: { disk, path in
          disk.plan.withLock { plan in
            plan.syncs += 1
            for write in plan.pending[path] ?? [] { UnreliableDisk.apply(write, to: &plan.durable[path, default: []]) }
            plan.pending[path] = nil
          }
        })
    }
    methods.xFileSize = { file, size in UnreliableDisk.pass(file, { $1.xFileSize($0, size) }) }
    methods.xLock = { file, level in UnreliableDisk.pass(file, { $1.xLock($0, level) }) }
    methods.xUnlock = { file, level in UnreliableDisk.pass(file, counts: false, { $1.xUnlock($0, level) }) }
    methods.xCheckReservedLock = { file, result in UnreliableDisk.pass(file, { $1.xCheckReservedLock($0, result) }) }
    methods.xFileControl = { file, code, value in
      UnreliableDisk.pass(file, counts: false, { $1.xFileControl($0, code, value) })
    }
    methods.xSectorSize = { file in UnreliableDisk.pass(file, counts: false, { $1.xSectorSize($0) }) }
    methods.xDeviceCharacteristics = { file in
      guard let own = File.of(file) else { return 0 }
      let disk = Unmanaged<UnreliableDisk>.fromOpaque(own.pointee.disk).takeUnretainedValue()
      return disk.isPowersafe ? SQLITE_IOCAP_POWERSAFE_OVERWRITE : 0
    }
    return methods
  }
}
