import MQTTCore
import NIOCore
import Synchronization

/// Between browsers that look at devices and the connection that subscribes for them.
final class ReadingsDesk: Sendable {
  enum Wish: Sendable {
    case subscribe([TopicFilter])
    case unsubscribe([TopicFilter])
  }

  private let looks: Mutex<LookedAt>
  private let wishes = Mutex<(@Sendable (Wish) -> Void)?>(nil)
  private let news = Mutex<(@Sendable () -> Void)?>(nil)

  init(_ looks: LookedAt) { self.looks = Mutex(looks) }

  /// - Parameter wish: called on any thread.
  func onWish(_ wish: @escaping @Sendable (Wish) -> Void) { wishes.withLock { $0 = wish } }

  /// - Parameter news: called on any thread, when somebody has something new to see.
  func onNews(_ news: @escaping @Sendable () -> Void) { self.news.withLock { $0 = news } }

  func begin(_ device: String) -> LookedAt.Beginning {
    let beginning = looks.withLock { $0.begin(device) }
    if case .subscribe(let filters) = beginning { wishes.withLock { $0 }?(.subscribe(filters)) }
    return beginning
  }

  func end(_ device: String) {
    if let filters = looks.withLock({ $0.end(device) }) { wishes.withLock { $0 }?(.unsubscribe(filters)) }
  }

  func events(of device: String, after change: UInt64) -> (events: ByteBuffer, last: UInt64)? {
    looks.withLock { $0.events(of: device, after: change) }
  }

  // The connection's side.

  var filters: [TopicFilter] { looks.withLock(\.filters) }

  func take(_ topic: String, _ message: Message) {
    if looks.withLock({ $0.take(topic, message.payload, isRetained: message.retain) }) {
      news.withLock { $0 }?()
    }
  }

  func refused(_ filter: TopicFilter, _ reason: String) {
    looks.withLock { $0.refused(filter, reason) }
    news.withLock { $0 }?()
  }
}
