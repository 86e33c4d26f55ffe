internal import CGPIO
import Glibc
import LimpetInstants
import LimpetPlatform
import Measuring
import Synchronization

/// Lines of one chip that this process holds, until this value ends.
///
/// A line is requested with its bias and nothing else. The pull then charges the wire, which takes a moment, and levels
/// and edges meanwhile are not those of the wired device; so edges are asked for only when the level rests.
final class GPIORequest {
  /// Readable when events wait.
  let descriptor: CInt
  /// Who debounces, once edges were asked for.
  private(set) var debounce = LineTrack.Debounce.nobody
  private let chip: CInt
  private let isReleased = Atomic(false)
  private let count: UInt32
  /// The offset of the second line, where two are watched together.
  private let second: UInt32?

  /// Events that the kernel keeps while nobody reads.
  static let bufferSize: UInt32 = 1024
  /// Lines that one request may have (GPIO_V2_LINES_MAX).
  static let lineLimit = 64
  /// The kernel debounces by its timer wheel, whose steps are 4 ms up to this and grow from there on: 32 ms at 2 s, 2 s at a
  /// minute. Longer ones are debounced here, to the kernel's time of the edge.
  static let kernelDebounceLimit: Int64 = 250_000_000
  /// Shown by gpioinfo(1).
  private static let consumer = "limpet"
  /// ENOTSUPP, the kernel's own errno that some drivers let through.
  private static let notSupported: CInt = 524

  /// - Parameter second: of an input that is two lines of one chip.
  convenience init(
    _ input: GPIOInput, at place: GPIOPlace, _ second: GPIOPlace? = nil, root: FileRoot
  ) throws(GPIOError) {
    try self.init([place, second].compactMap { $0 }.map { (input, $0) }, second: second?.offset, root: root)
  }

  /// - Parameter lines: of one chip, at least one and at most ``lineLimit``.
  init(
    _ lines: [(input: GPIOInput, place: GPIOPlace)], second: UInt32? = nil, root: FileRoot
  ) throws(GPIOError) {
    guard let place = lines.first?.place else { preconditionFailure("a request without lines") }
    let path: String
    do { path = try root.location(of: place.path) } catch { throw .gone(place) }
    let chip = open(path, O_RDWR | O_CLOEXEC)
    guard chip >= 0 else { throw .refused(place, errno: errno) }
    var descriptor: CInt = -1
    let code = Self.consumer.withCString { consumer in
      let requests = lines.map { Self.request($0.input, $0.place.offset, consumer) }
      return limpet_gpio_request_lines(chip, requests, UInt32(requests.count), &descriptor)
    }
    guard code == 0 else {
      close(chip)
      if code == EBUSY { throw .busy(place, consumer: nil) }
      throw .refused(place, errno: code)
    }
    self.chip = chip
    self.descriptor = descriptor
    count = UInt32(lines.count)
    self.second = second
  }

  deinit { release() }

  /// Gives the lines back now, whoever still has this value, which is of no use any more.
  func release() {
    guard !isReleased.exchange(true, ordering: .relaxed) else { return }
    close(descriptor)
    close(chip)
  }

  /// Asks for the edges of one input's lines.
  ///
  /// - Returns: false: the chip has no interrupt for it.
  func watchEdges(_ input: GPIOInput, at place: GPIOPlace) throws(Errno) -> Bool {
    let period = input.debounce.wholeNanoseconds
    var code: CInt = EINVAL
    if period > 0, period < Self.kernelDebounceLimit {
      debounce = .kernel(period)
      code = watch(input, place, debounce: period)
    }
    if code != 0 {
      // Edges without debouncing may be what this line can do.
      debounce = period > 0 ? .agent(period) : .nobody
      code = watch(input, place, debounce: 0)
    }
    // Kernels say ENODEV too where a line has no interrupt, and not only where its chip is gone.
    let isWithoutInterrupt = [EINVAL, ENXIO, ENODEV, EOPNOTSUPP, Self.notSupported].contains(code)
    if isWithoutInterrupt, isChipThere { return false }
    guard code == 0 else { throw Errno(number: code) }
    return true
  }

  private func watch(_ input: GPIOInput, _ place: GPIOPlace, debounce: Int64) -> CInt {
    Self.consumer.withCString { consumer in
      var request = Self.request(input, place.offset, consumer)
      request.wants_rising = true
      // Counting needs one edge a pulse; debouncing it here needs both.
      request.wants_falling = input.mode.needsBothEdges || (input.debounce > .zero && debounce == 0)
      request.debounce = UInt32(clamping: debounce / 1000)
      return limpet_gpio_watch_edges(descriptor, count, &request)
    }
  }

  /// The level of the one line now.
  func level() throws(Errno) -> Bool { try levels() & 1 != 0 }

  /// The levels now, of the first line in the lowest bit.
  func levels() throws(Errno) -> UInt64 {
    var levels: UInt64 = 0
    let code = limpet_gpio_levels(descriptor, count, &levels)
    guard code == 0 else { throw Errno(number: code) }
    return levels
  }

  /// Takes events that wait, at most 64 and at most `limit`; 0: there are none.
  func read(atMost limit: Int, into events: inout [LineEvent]) throws(Errno) -> Int {
    let room = min(limit, 64)
    let count = withUnsafeTemporaryAllocation(of: limpet_gpio_event.self, capacity: room) { buffer in
      let count = limpet_gpio_read_events(descriptor, buffer.baseAddress, CInt(room))
      for event in buffer.prefix(Int(max(0, count))) {
        events.append(
          LineEvent(
            time: Int64(clamping: event.time), sequence: second == nil ? event.sequence : event.total_sequence,
            isRising: event.is_rising, isSecond: event.offset == second))
      }
      return count
    }
    guard count < 0 else { return Int(count) }
    guard count == -EAGAIN || count == -EINTR else { throw Errno(number: -count) }
    return 0
  }

  /// Kernels before 6.8 do not wake up a thread that waits for a line when its chip is taken away.
  var isChipThere: Bool { limpet_gpio_chip_is_there(chip) == 0 }

  struct Errno: Error {
    let number: CInt
  }

  private static func request(
    _ input: GPIOInput, _ offset: UInt32, _ consumer: UnsafePointer<CChar>
  ) -> limpet_gpio_request {
    var request = limpet_gpio_request()
    request.offset = offset
    request.bias = input.bias.code
    request.is_active_low = input.isActiveLow
    request.buffer = bufferSize
    request.consumer = consumer
    return request
  }
}

extension GPIOInput.Bias {
  var code: limpet_gpio_bias {
    switch self {
    case .asIs: LIMPET_GPIO_BIAS_AS_IS
    case .none: LIMPET_GPIO_BIAS_DISABLED
    case .up: LIMPET_GPIO_BIAS_PULL_UP
    case .down: LIMPET_GPIO_BIAS_PULL_DOWN
    }
  }
}
