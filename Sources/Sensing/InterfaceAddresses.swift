import Glibc
import Measuring

/// The addresses of a network interface, as the kernel has them now (getifaddrs(3)).
enum InterfaceAddresses {
  /// `192.168.1.7, 2001:db8::1`, IPv4 first.
  static func text(_ interface: String) throws(SensorError) -> String {
    var first: UnsafeMutablePointer<ifaddrs>?
    guard getifaddrs(&first) == 0 else {
      throw .noValue("the kernel does not list the addresses: errno \(errno)", path: interface)
    }
    defer { freeifaddrs(first) }
    var found: [Address] = []
    var next = first
    while let entry = next?.pointee {
      next = entry.ifa_next
      guard let socketAddress = entry.ifa_addr, String(cString: entry.ifa_name) == interface,
        let address = Address(socketAddress)
      else { continue }
      found.append(address)
    }
    // An interface gives itself one of its link at once, which says nothing of whether it is in a network.
    let wide = found.filter { !$0.isOfLink }
    let shown = wide.isEmpty ? found : wide
    guard !shown.isEmpty else {
      throw .noValue("\(interface) has no address", path: "\(SystemSource.networkFolder)/\(interface)")
    }
    return (shown.filter { !$0.isVersion6 } + shown.filter(\.isVersion6)).map(\.text).joined(separator: ", ")
  }

  private struct Address {
    let text: String
    let isVersion6: Bool

    /// 169.254.0.0/16 and fe80::/10.
    var isOfLink: Bool { text.hasPrefix("169.254.") || isVersion6 && text.contains("%") }

    init?(_ address: UnsafeMutablePointer<sockaddr>) {
      let length: Int
      switch Int32(address.pointee.sa_family) {
      case AF_INET: (length, isVersion6) = (MemoryLayout<sockaddr_in>.size, false)
      case AF_INET6: (length, isVersion6) = (MemoryLayout<sockaddr_in6>.size, true)
      default: return nil
      }
      var buffer = [CChar](repeating: 0, count: Int(NI_MAXHOST))
      let result = getnameinfo(
        address, socklen_t(length), &buffer, socklen_t(buffer.count), nil, 0, NI_NUMERICHOST)
      guard result == 0 else { return nil }
      text = String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
  }
}
