import Glibc
import NIOCore
import NIOPosix

// How fast the client publishes and receives, and at what cost; `mosquitto.c` beside it does the same with libmosquitto,
// and `raw.c` with nothing but a socket.
//
//   MQTTBenchmark publish|receive PORT QOS COUNT SIZE
//   MQTTBenchmark idle PORT COUNT
//
// publish: COUNT messages, from the first to the last acknowledged (QoS 0: to the last byte handed over). receive:
// subscribes, prints "ready", and counts COUNT messages. The last line is "SECONDS RSS-KB PROCESSOR-SECONDS", and after
// publish, where `allocations.c` is loaded, the allocations for each message after the first tenth.
//
// idle: COUNT connections that do nothing. The last line is "BYTES RSS-KB": private memory for each connection.

func usage() -> Never {
  print("usage: MQTTBenchmark publish|receive PORT QOS COUNT SIZE | idle PORT COUNT")
  exit(64)
}

let arguments = CommandLine.arguments
let eventLoop = MultiThreadedEventLoopGroup(numberOfThreads: 1).next()
switch arguments.dropFirst().first {
case "publish" where arguments.count == 6, "receive" where arguments.count == 6:
  guard let port = Int(arguments[2]), let qos = UInt8(arguments[3]), let count = Int(arguments[4]),
    let size = Int(arguments[5])
  else { usage() }
  let done = eventLoop.makePromise(of: Cost.self)
  let flow = try Flow(
    arguments[1] == "publish" ? .publish : .receive, qos: qos, count: count, size: size, done: done,
    eventLoop: eventLoop)
  flow.begin(port)
  print(try done.futureResult.wait())
case "idle" where arguments.count == 4:
  guard let port = Int(arguments[2]), let count = Int(arguments[3]) else { usage() }
  let done = eventLoop.makePromise(of: Int.self)
  let fleet = IdleFleet(count, done: done, eventLoop: eventLoop)
  fleet.begin(port)
  print(try done.futureResult.wait(), Cost.residentKilobytes)
default: usage()
}
