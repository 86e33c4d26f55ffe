import Core
import LimpetInstants
import Measuring
import Plan

/// What a board measures: sensors whose value is the time of the world, so that each reading says when it is from, and
/// lines whose edges come as they like.
extension World {
  mutating func read(_ sensors: [SensorID], _ index: Int) {
    let life = boards[index].life
    // Buses are read beside each other, and each answers when it is done.
    let parts = sensors.count > 1 ? Int(chances.number(below: 3)) + 1 : 1
    let size = (sensors.count + parts - 1) / parts
    var start = 0
    while start < sensors.count {
      let part = Array(sensors[start..<min(start + size, sensors.count)])
      queue.push(.samples(board: index, life: life, part), at: now + .milliseconds(1) + chance(upTo: .milliseconds(40)))
      start += size
    }
  }

  /// A read is over, or has taken its time.
  mutating func measured(_ index: Int, _ sensors: [SensorID]) {
    let boot = boards[index].clock.boot(at: now)
    var samples: [Sample] = []
    var late: [SensorID] = []
    for sensor in sensors {
      if hangs(sensor, index) {
        late.append(sensor)
      } else {
        let value = Measurement(value: .integer(now.nanoseconds / 1_000_000), unit: "ms", time: boot)
        samples.append(Sample(sensor: sensor, outcome: .success(value)))
      }
    }
    if !samples.isEmpty {
      bring(index, .samples(samples))
    }
    guard !late.isEmpty else { return }
    let life = boards[index].life
    let failures = late.map { Sample(sensor: $0, outcome: .failure(.timedOut(after: .seconds(10)))) }
    queue.push(.bring(board: index, life: life, .samples(failures)), at: now + .seconds(10))
  }

  private func hangs(_ sensor: SensorID, _ index: Int) -> Bool {
    active.contains { place in
      let action = script.actions[place]
      return action.kind == .sensorHangs && index == 0 && sensor.text.hasPrefix("s\(action.target)")
    }
  }

  // MARK: Lines

  mutating func find(_ places: [Int], _ index: Int) {
    var reports: [LineReport] = []
    let boot = boards[index].clock.boot(at: now)
    for place in places {
      boards[index].lines[place]?.isFound = true
      reports.append(
        LineReport(
          line: LineID(place: place), content: .found("line \(place)", pulses: PulseCount()), time: boot))
      guard let line = boards[index].lines[place], line.request.mode == .state else { continue }
      reports.append(LineReport(line: LineID(place: place), content: .level(line.level), time: boot))
    }
    guard !reports.isEmpty else { return }
    let life = boards[index].life
    queue.push(
      .lines(board: index, life: life, reports, isFinished: false), at: now + chance(upTo: .milliseconds(20)))
    queue.push(.edge(board: index, life: life), at: now + .seconds(1))
  }

  mutating func rewatch(_ released: [LineID], _ added: [(LineID, GPIOInput)], _ index: Int) {
    let boot = boards[index].clock.boot(at: now)
    for line in released { boards[index].lines[line.place] = nil }
    if !released.isEmpty {
      let reports = released.map { LineReport(line: $0, content: .released, time: boot) }
      queue.push(
        .lines(board: index, life: boards[index].life, reports, isFinished: false),
        at: now + chance(upTo: .milliseconds(20)))
    }
    for (line, request) in added {
      while boards[index].lines.count <= line.place { boards[index].lines.append(nil) }
      boards[index].lines[line.place] = Board.Line(request: request)
    }
    find(added.map(\.0.place), index)
  }

  /// Edges come by chance, from many a second to one an hour.
  mutating func edge(_ index: Int, life: UInt64) {
    guard boards[index].life == life, boards[index].isRunning, !boards[index].lines.isEmpty else { return }
    pulse(index, times: 1)
    boards[index].edges += 1
    let delay = chances.duration(from: .milliseconds(10), to: .seconds(600))
    queue.push(.edge(board: index, life: life), at: now + delay)
  }

  /// - Parameter times: edges of each line at once; beyond a few the monitor reports a gap.
  mutating func pulse(_ index: Int, times: Int) {
    guard boards[index].isRunning else { return }
    let boot = boards[index].clock.boot(at: now)
    var reports: [LineReport] = []
    for place in boards[index].lines.indices {
      guard let line = boards[index].lines[place], line.isFound else { continue }
      boards[index].lines[place]?.pulses += UInt64(times)
      if line.request.mode == .state, !times.isMultiple(of: 2) {
        boards[index].lines[place]?.level.toggle()
        reports.append(LineReport(line: LineID(place: place), content: .level(!line.level), time: boot))
      }
      guard line.request.mode == .event else { continue }
      for _ in 0..<min(times, 50) {
        boards[index].lines[place]?.level.toggle()
        let level = boards[index].lines[place]?.level ?? false
        reports.append(
          LineReport(line: LineID(place: place), content: .edge(isRising: level, isSuspect: false), time: boot))
      }
      if times > 50 {
        reports.append(LineReport(line: LineID(place: place), content: .gap(lost: UInt64(times - 50)), time: boot))
      }
    }
    if !reports.isEmpty { bring(index, .lines(reports, isFinished: false)) }
  }
}
