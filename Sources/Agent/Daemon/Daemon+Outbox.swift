import Instants
import NIOCore
import Outbox
import Platform
import Records
import Storage

/// Between the outbox, which knows what to write and to read, and the store, which does it on a thread of its own.
extension Daemon {
  /// Has written and read what is due, and looks again when something else is.
  func keepReadings() {
    guard outbox.hasWork, outbox.disk.isOpen, let store else { return }
    let now = BootClock.now
    if let read = outbox.nextRead(at: now) { load(read, store) }
    if let streams = outbox.nextNaming(at: now) { Task { await name(streams, store) } }
    guard let deadline = outbox.writeDeadline(at: now) ?? outbox.namingDeadline(at: now) else { return }
    guard deadline <= now else { return armKeepTimer(deadline) }
    if let batch = outbox.takeBatch(streamName, .now(), at: now) {
      write(batch, store)
    } else if let deadline = outbox.writeDeadline(at: now) {
      armKeepTimer(deadline)
    }
  }

  private func streamName(_ stream: Int) -> String { plan.streams[stream].name }

  private func name(_ streams: [Int], _ store: StateStore) async {
    let names = streams.map(streamName)
    do throws(StorageError) {
      let numbers = try await store.numberStreams(names)
      outbox.named(
        Dictionary(zip(streams, names).compactMap { stream, name in numbers[name].map { (stream, $0) } }) { $1 })
      storageWorks()
    } catch {
      outbox.namingFailed(at: .now)
      storageFails(error)
    }
    pump()
  }

  private func write(_ batch: OutboxBatch, _ store: StateStore) {
    Task {
      await apply(batch, store)
      pump()
    }
  }

  /// False: it could not be written.
  @discardableResult
  private func apply(_ batch: OutboxBatch, _ store: StateStore) async -> Bool {
    do throws(StorageError) {
      try await store.apply(batch)
      outbox.wrote()
      storageWorks()
      return true
    } catch {
      outbox.writingFailed(at: .now)
      storageFails(error)
      return false
    }
  }

  private func load(_ read: Outbox.Read, _ store: StateStore) {
    Task {
      do throws(StorageError) {
        let rows = try await store.readings(of: read.number, in: read.ranges, limit: read.limit)
        outbox.loaded(rows, read, .now(), at: .now)
      } catch {
        outbox.loadingFailed(read, at: .now)
        storageFails(error)
        _ = after(.seconds(10)) { $0.pump() }
      }
      pump()
    }
  }

  /// Moved forward only: what fires early just asks again.
  private func armKeepTimer(_ deadline: BootClock.Instant) {
    if let keepTimer, keepTimer.at <= deadline { return }
    keepTimer?.task.cancel()
    let task = after(max(.zero, BootClock.now.duration(to: deadline))) { daemon in
      daemon.keepTimer = nil
      daemon.pump()
    }
    keepTimer = (deadline, task)
  }

  func armDrainTimer(_ deadline: BootClock.Instant) {
    drainTimer?.cancel()
    drainTimer = after(BootClock.now.duration(to: deadline)) { $0.pump() }
  }

  /// At the end: everything that waits is written, or cannot be.
  func storeReadings() async {
    guard let store, outbox.disk.isOpen else { return }
    if numbering.hasWaiting {
      // Their numbers are being reserved: the store is behind that when it answers.
      await store.settle()
      numberReadings()
    }
    if outbox.disk.isNaming { await store.settle() }
    if let streams = outbox.nextNaming(isLast: true, at: .now) { await name(streams, store) }
    while true {
      if let batch = outbox.takeBatch(all: true, streamName, .now(), at: .now) {
        guard await apply(batch, store) else { return }
      } else if outbox.disk.write != nil {
        // Another one is being written: behind it.
        await store.settle()
      } else {
        return
      }
    }
  }

  /// What there is to say about the readings that wait.
  var outboxStatistics: OutboxStatistics {
    var statistics = outbox.statistics(plan.streams.map(\.name), at: .now)
    statistics.underWay = underWay
    statistics.setAside = setAside
    if let counters = store?.lastCounters {
      statistics.writes = counters.transactions
      statistics.bytesWritten = counters.bytes
    }
    statistics.storageError = storageError
    return statistics
  }
}
