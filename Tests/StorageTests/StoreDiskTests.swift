import Glibc
import LimpetInstants
import Testing

@testable import MQTTCore
@testable import MQTTStore
@testable import Records
@testable import Storage

/// The disk at its worst: what is no folder, full, or can only be read.
extension StoreFaultTests {
  @Test("a file in place of the folder cannot be opened")
  func fileForFolder() async throws {
    try folder.write("file", [1])
    for path in ["file", "file/limpet"] {
      let error = try await openError("\(folder.path)/\(path)")
      #expect(error.kind == .cannotOpen)
      #expect(error.description.contains("storage.path"))
    }
  }

  @Test("a folder in place of the database cannot be opened")
  func folderForFile() async throws {
    #expect(mkdir(folder.path + "/session.db", 0o700) == 0)
    #expect(try await openError().kind == .cannotOpen)
    #expect(folder.names == ["session.db"])
  }

  @Test("a missing folder on a file system that lets nobody write cannot be created")
  func procHasNoFolders() async throws {
    #expect(try await openError("/proc/limpet").kind == .cannotOpen)
  }

  @Test("a full disk is said to be full, keeps what was stored, and works again", .enabled(if: ScratchFolder.canMount))
  func fullDisk() async throws {
    let disk = try #require(try ScratchFolder(tmpfsOf: 512 * 1024))
    let store = try await open(disk.path)
    #expect(try await store.nextEpoch() == 1)
    try disk.fill()
    let error = try #require(await failure { while true { _ = try await store.nextEpoch() } })
    #expect(error.kind == .full)
    #expect(error.description.contains("cannot store what has changed in \(disk.path)/session.db"))
    let reached = try await store.load().epoch
    disk.makeRoom()
    #expect(try await store.nextEpoch() == reached + 1)
    #expect(await store.counters.failures >= 1)
    await store.close()
    #expect(try await open(disk.path).load().epoch == reached + 1)
  }

  @Test("a store on a disk that is full from the start can be read", .enabled(if: ScratchFolder.canMount))
  func fullAtStart() async throws {
    let disk = try #require(try ScratchFolder(tmpfsOf: 512 * 1024))
    var store = try await open(disk.path)
    _ = try await store.nextEpoch()
    try await store.setLastStop(.init(reason: "SIGTERM", time: 5))
    await store.close()
    try disk.fill()
    store = try await open(disk.path)
    let state = try await store.load()
    #expect(state.epoch == 1)
    #expect(state.lastStop == .init(reason: "SIGTERM", time: 5))
    #expect(state.writeError?.kind == .full)
    await store.close()
  }

  @Test("a store cannot be begun on a full disk", .enabled(if: ScratchFolder.canMount))
  func fullWhenNew() async throws {
    let disk = try #require(try ScratchFolder(tmpfsOf: 256 * 1024))
    try disk.fill()
    #expect(try await openError(disk.path).kind == .full)
    disk.makeRoom()
    let store = try await open(disk.path)
    #expect(try await store.load() == StoredState())
    await store.close()
  }

  @Test("a disk that can only be read is said to be read-only", .enabled(if: ScratchFolder.canMount))
  func readOnlyDisk() async throws {
    let disk = try #require(try ScratchFolder(tmpfsOf: 512 * 1024))
    #expect(disk.remount(readOnly: true))
    for path in [disk.path, disk.path + "/new"] { #expect(try await openError(path).kind == .readOnly) }
    #expect(disk.remount(readOnly: false))
    let store = try await open(disk.path)
    _ = try await store.nextEpoch()
    await store.close()
    #expect(disk.remount(readOnly: true))
    let error = try await openError(disk.path)
    #expect(error.kind == .readOnly)
    #expect(error.description.contains("Mount it read-write"))
    #expect(disk.names == ["session.db"])
  }
}
