import Testing

@testable import Presence

struct CloseWatchTests {
  @Test("the message that is the oldest unanswered at three ends is set aside, after care was taken")
  func message() {
    var watch = CloseWatch()
    #expect(watch.closed(oldest: 7, isSubscribing: false) == .beCautious)
    #expect(watch.closed(oldest: 7, isSubscribing: false) == .beCautious)
    #expect(watch.closed(oldest: 7, isSubscribing: false) == .setOldestAside)
    #expect(watch.closed(oldest: 8, isSubscribing: false) == .beCautious)
  }

  @Test("another message in between, or none, begins the count anew")
  func others() {
    var watch = CloseWatch()
    for oldest in [7, 7, 8, 8, nil, 8, 8, 7, 7] as [UInt64?] {
      #expect(watch.closed(oldest: oldest, isSubscribing: false) != .setOldestAside)
    }
  }

  @Test("after two ends with a SUBSCRIBE unanswered there is no other, unless one was answered")
  func subscribe() {
    var watch = CloseWatch()
    _ = watch.closed(oldest: nil, isSubscribing: true)
    #expect(watch.maySubscribe)
    watch.subscribed()
    _ = watch.closed(oldest: nil, isSubscribing: true)
    #expect(watch.maySubscribe)
    _ = watch.closed(oldest: nil, isSubscribing: true)
    #expect(!watch.maySubscribe)
  }
}
