internal import Glibc
import LimpetInstants
import MQTTCore
import Simulation

// Usage: see the end.

func number(_ text: String) -> UInt64? {
  text.hasPrefix("0x") ? UInt64(text.dropFirst(2), radix: 16) : UInt64(text)
}

func show(_ outcome: Outcome) {
  for line in outcome.lines { print(line) }
  print("trace 0x\(String(outcome.hash, radix: 16)), \(outcome.length)")
  print(outcome.failure.map { "FAILS \($0)" } ?? "nothing was found")
}

func shrink(_ script: Script, _ failure: Failure) -> Script {
  let end = ContinuousClock.now + .seconds(60)
  var shrinker = Shrinker { ContinuousClock.now < end ? World.play($0).failure : nil }
  return shrinker.shrink(script, failure)
}

/// What this process has used of a processor: what others do on the machine is no part of it.
func processorTime() -> Duration {
  var time = timespec()
  guard clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time) == 0 else { return .zero }
  return .seconds(Int64(time.tv_sec)) + .nanoseconds(Int64(time.tv_nsec))
}

/// Plays seeds one after the other until the time is over, so many were played, or one of them fails.
func search(_ seconds: Int64, from first: UInt64, count: UInt64, keepsGoing: Bool) -> Bool {
  let start = ContinuousClock.now
  let used = processorTime()
  let end = start + .seconds(seconds)
  var seed = first
  var shrinking = Duration.zero
  var (seeds, length, changes) = (0, Duration.zero, [ActionKind: Int]())
  var failures: [String: Int] = [:]
  while ContinuousClock.now < end, seed - first < count {
    let script = World.script(seed)
    let outcome = World.play(script)
    seeds += 1
    length += outcome.length
    changes.merge(outcome.changes, uniquingKeysWith: +)
    print("hash \(seed) 0x\(String(outcome.hash, radix: 16))")
    if let failure = outcome.failure {
      failures[failure.oracle, default: 0] += 1
      print("seed \(seed) fails: \(failure)")
      if !keepsGoing {
        let before = processorTime()
        let small = shrink(script, failure)
        shrinking = processorTime() - before
        print("the shortest script that fails like this:")
        print(small, terminator: "")
        print("\(World.play(small).failure.map { "\($0)" } ?? "")")
        break
      }
    }
    seed += 1
  }
  let took = start.duration(to: .now)
  let all = changes.values.reduce(0, +)
  let speed = Int64(length / took)
  let rate = Int64(Double(all) / max(0.001, (processorTime() - used - shrinking) / .seconds(1)))
  let hours = Int64(length / .seconds(3600))
  print(
    "found \(failures.values.reduce(0, +)); \(seeds) seeds, \(hours) virtual hours, \(speed) times real time, "
      + "\(all) changes of fortune, \(rate) a second of processor time")
  if !failures.isEmpty {
    print(failures.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: ", "))
  }
  print(
    changes.sorted { $0.key.rawValue < $1.key.rawValue }.map { "\($0.key.rawValue) \($0.value)" }.joined(
      separator: ", "))
  return failures.isEmpty
}

/// A failure that an old rule is the reason of: the script without it is well.
func failure(_ script: Script) -> Failure? {
  guard let failure = World.play(script).failure else { return nil }
  var present = script
  present.mutation = nil
  return World.play(present).failure == nil ? failure : nil
}

/// Searches seeds for one that finds an old rule.
func search(_ mutation: Mutation, _ seconds: Int64, from first: UInt64, shrinks: Bool) -> Bool {
  let start = ContinuousClock.now
  // Those that have outputs are the multiples.
  let step: UInt64 = mutation.isOfOutputs ? World.outputShare : 1
  var seed = first.isMultiple(of: step) ? first : first + step - first % step
  var seeds = 0
  while start.duration(to: .now) < .seconds(seconds) {
    var script = World.script(seed)
    script.mutation = mutation
    seed += step
    seeds += 1
    guard let found = failure(script) else { continue }
    print("\(mutation.rawValue): found by seed \(seed - step) after \(start.duration(to: .now)), \(found)")
    guard shrinks else { return true }
    let end = ContinuousClock.now + .seconds(60)
    var shrinker = Shrinker { ContinuousClock.now < end ? failure($0) : nil }
    let small = shrinker.shrink(script, found)
    print(small, terminator: "")
    print(failure(small).map { "\($0)" } ?? "")
    return true
  }
  print("\(mutation.rawValue): not found by \(seeds) seeds in \(seconds) s")
  return false
}

let arguments = CommandLine.arguments.dropFirst()
let values = arguments.dropFirst().compactMap(number)
switch arguments.first {
case "seed":
  let outcome = World.play(World.script(values.first ?? 1), keepingLines: 200_000)
  print(World.script(values.first ?? 1), terminator: "")
  show(outcome)
case "shrink":
  let script = World.script(values.first ?? 1)
  guard let failure = World.play(script).failure else {
    print("nothing was found")
    break
  }
  let small = shrink(script, failure)
  print(small, terminator: "")
  show(World.play(small, keepingLines: Int(values.dropFirst().first ?? 200)))
case "script":
  var text = ""
  while let line = readLine(strippingNewline: false) { text += line }
  do { show(World.play(try Script(text), keepingLines: 200_000)) } catch { print("\(error)") }
case "search", "survey":
  let isFine = search(
    Int64(values.first ?? 60), from: values.dropFirst().first ?? 1, count: values.dropFirst(2).first ?? .max,
    keepsGoing: arguments.first == "survey")
  if !isFine { exit(1) }
case "mutations":
  var missed = 0
  for mutation in Mutation.allCases where arguments.count < 4 || arguments.last == mutation.rawValue {
    let isFound = search(
      mutation, Int64(values.first ?? 60), from: values.dropFirst().first ?? 1, shrinks: arguments.count > 3)
    if !isFound { missed += 1 }
  }
  print("missed \(missed)")
  if missed > 0 { exit(1) }
case "hash":
  guard let first = values.first else { break }
  for seed in first..<first + (values.dropFirst().first ?? 1) {
    let outcome = World.play(World.script(seed))
    print("hash \(seed) 0x\(String(outcome.hash, radix: 16))")
  }
case "bench":
  let script = Script(seed: Seed(1), settings: [Script.Setting("quiet", Int64(values.first ?? 24) * 3600)])
  let start = ContinuousClock.now
  let outcome = World.play(script)
  let took = start.duration(to: .now)
  print("\(outcome.length) in \(took): \(Int64(outcome.length / took)) times real time")
  if let failure = outcome.failure {
    print("FAILS \(failure)")
    exit(1)
  }
default:
  print(
    """
    usage: Simulator seed N | shrink N | script | search SECONDS FIRST [COUNT] | survey SECONDS FIRST [COUNT] | hash FIRST COUNT
      | mutations SECONDS FIRST [NAME] | bench HOURS
    script: read from standard input; survey: goes on behind what is found; mutations: all, or one, which is shrunk
    """
  )
}
