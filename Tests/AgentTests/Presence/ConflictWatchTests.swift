import Testing

@testable import Presence

struct ConflictWatchTests {
  private func watch(spoken: Bool = true) -> ConflictWatch {
    var watch = ConflictWatch(instances: ["me", "me-before"])
    if spoken { watch.spoke() }
    return watch
  }

  @Test("own instances, of this run and of earlier ones, are nobody else", arguments: ["me", "me-before"])
  func own(instance: String) {
    var watch = watch()
    for isRetained in [false, true] {
      #expect(watch.saw(instance: instance, epoch: 9, isRetained: isRetained) == false)
    }
    #expect(watch.lost(isTakenOver: false, share: 0) == nil)
  }

  @Test("a live message of another instance is a rival, and is recognised once")
  func live() {
    var watch = watch(spoken: false)
    let first = watch.saw(instance: "other", epoch: 1, isRetained: false)
    let second = watch.saw(instance: "other", epoch: 2, isRetained: false)
    #expect(first && !second)
    #expect(watch.rival == .instance("other"))
  }

  @Test("who had this identifier before is no rival, unless it connects again")
  func predecessor() {
    var watch = watch(spoken: false)
    #expect(watch.saw(instance: "old", epoch: 7, isRetained: true) == false)
    watch.spoke()
    #expect(watch.saw(instance: "old", epoch: 7, isRetained: true) == false)
    #expect(watch.saw(instance: "old", epoch: 7, isRetained: false) == false)
    #expect(watch.rival == nil)
    let isRival = watch.saw(instance: "old", epoch: 8, isRetained: true)
    #expect(isRival)
  }

  @Test("a retained message that has appeared since this process spoke is a rival's")
  func retained() {
    var watch = watch()
    let isRival = watch.saw(instance: "other", epoch: 1, isRetained: true)
    #expect(isRival)
  }

  @Test("an instance that the store names late is this device's own, and no rival any more")
  func foundLate() {
    var watch = watch()
    let isRival = watch.saw(instance: "mine", epoch: 1, isRetained: true)
    #expect(isRival)
    let isAnother = watch.found(instances: ["another"])
    #expect(!isAnother && watch.rival == .instance("mine"))
    let isOwn = watch.found(instances: ["mine"])
    #expect(isOwn && watch.rival == nil)
    let isRivalAgain = watch.saw(instance: "mine", epoch: 1, isRetained: false)
    #expect(!isRivalAgain)
    #expect(watch.lost(isTakenOver: false, share: 0) == nil)
  }

  @Test("with a rival each end of a connection costs minutes, more each time, up to six")
  func waits() throws {
    var watch = watch()
    #expect(watch.lost(isTakenOver: false, share: 0.5) == nil)
    #expect(watch.lost(isTakenOver: true, share: 0) == .seconds(60))
    #expect(watch.rival == .unnamed)
    #expect(watch.lost(isTakenOver: false, share: 1) == .seconds(240))
    #expect(watch.lost(isTakenOver: true, share: 0) == .seconds(180))
    for _ in 0..<10 { #expect(watch.lost(isTakenOver: false, share: 1) == .seconds(360)) }
    #expect(watch.kicks == 13)
  }

  @Test("a connection that lasts is the end of it")
  func over() {
    var watch = watch()
    #expect(watch.lasted() == false)
    _ = watch.lost(isTakenOver: true, share: 0)
    let wasConflict = watch.lasted()
    #expect(wasConflict)
    #expect(watch.rival == nil)
    #expect(watch.lost(isTakenOver: false, share: 0) == nil)
    #expect(watch.lost(isTakenOver: true, share: 0) == .seconds(60))
  }

  @Test("an instance that is learnt later names the rival, which is no other one")
  func named() {
    var watch = watch()
    _ = watch.lost(isTakenOver: true, share: 0)
    let isNew = watch.saw(instance: "other", epoch: 1, isRetained: true)
    #expect(!isNew)
    #expect(watch.rival == .instance("other"))
  }
}
