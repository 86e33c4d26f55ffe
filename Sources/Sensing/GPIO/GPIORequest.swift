internal import CGPIO
import Glibc
import Instants
import Measuring
import Platform

/// A line that this process holds, until this is let go of.
final class GPIORequest {
  /// Readable when events wait.
  let descriptor: CInt
  let debounce: LineTrack.Debounce
  private let chip: CInt

  /// Events that the kernel keeps while nobody reads.
  static let bufferSize: UInt32 = 1024
  /// Shown by gpioinfo(1).
  private static let consumer = "limpet"
  /// ENOTSUPP, the kernel's own errno that some drivers let through.
  private static let notSupported: CInt = 524

  /// Requests the line: bias, edges and debouncing in one step, so that nothing is seen of the states between.
  init(_ input: GPIOInput, at place: GPIOPlace, root: FileRoot) throws(GPIOError) {
    let path: String
    do { path = try root.location(of: place.path) } catch { throw .gone(place) }
    let chip = open(path, O_RDWR | O_CLOEXEC)
    guard chip >= 0 else { throw .refused(place, errno: errno) }
    let period = input.debounce.wholeNanoseconds
    var result = Self.request(input, place.offset, debounce: period, chip)
    var debounce = period > 0 ? LineTrack.Debounce.kernel(period) : .nobody
    if case .failure(let code) = result, period > 0,
      [EINVAL, ENXIO, EOPNOTSUPP, Self.notSupported].contains(code.number)
    {
      // Edges without debouncing may be what this line can do.
      result = Self.request(input, place.offset, debounce: 0, chip)
      debounce = .agent(period)
    }
    switch result {
    case .success(let line): descriptor = line
    case .failure(let code):
      close(chip)
      if code.number == EBUSY { throw .busy(place, consumer: nil) }
      throw .refused(place, errno: code.number)
    }
    self.chip = chip
    self.debounce = debounce
  }

  deinit {
    close(descriptor)
    close(chip)
  }

  /// The level now.
  func level() throws(Errno) -> Bool {
    var level = false
    let code = limpet_gpio_level(descriptor, &level)
    guard code == 0 else { throw Errno(number: code) }
    return level
  }

  /// Takes events that wait, at most 64 and at most `limit`; 0: there are none.
  func read(atMost limit: Int, into events: inout [LineEvent]) throws(Errno) -> Int {
    let room = min(limit, 64)
    let count = withUnsafeTemporaryAllocation(of: limpet_gpio_event.self, capacity: room) { buffer in
      let count = limpet_gpio_read_events(descriptor, buffer.baseAddress, CInt(room))
      for event in buffer.prefix(Int(max(0, count))) {
        events.append(
          LineEvent(time: Int64(clamping: event.time), sequence: event.sequence, isRising: event.is_rising))
      }
      return count
    }
    guard count < 0 else { return Int(count) }
    guard count == -EAGAIN || count == -EINTR else { throw Errno(number: -count) }
    return 0
  }

  /// Kernels before 6.8 do not wake up who waits for a line when its chip is taken away.
  var isChipThere: Bool { limpet_gpio_chip_is_there(chip) == 0 }

  struct Errno: Error {
    let number: CInt
  }

  private static func request(
    _ input: GPIOInput, _ offset: UInt32, debounce: Int64, _ chip: CInt
  ) -> Result<CInt, Errno> {
    var line: CInt = -1
    let code = consumer.withCString { consumer in
      var request = limpet_gpio_request()
      request.offset = offset
      request.bias = input.bias.code
      request.is_active_low = input.isActiveLow
      request.wants_rising = true
      // Counting needs one edge a pulse; debouncing it here needs both.
      request.wants_falling = input.mode != .counter || (input.debounce > .zero && debounce == 0)
      request.debounce = UInt32(clamping: debounce / 1000)
      request.buffer = bufferSize
      request.consumer = consumer
      return limpet_gpio_request_line(chip, &request, &line)
    }
    return code == 0 ? .success(line) : .failure(Errno(number: code))
  }
}

extension GPIOInput.Bias {
  fileprivate var code: limpet_gpio_bias {
    switch self {
    case .asIs: LIMPET_GPIO_BIAS_AS_IS
    case .none: LIMPET_GPIO_BIAS_DISABLED
    case .up: LIMPET_GPIO_BIAS_PULL_UP
    case .down: LIMPET_GPIO_BIAS_PULL_DOWN
    }
  }
}
