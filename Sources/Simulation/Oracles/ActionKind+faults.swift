/// What an action means to oracles.
extension ActionKind {
  /// Something is wrong with the store.
  var isOfStore: Bool {
    switch self {
    case .storeFails, .storeFull, .storeHangs, .storeHangsThenFails, .storeCorrupt, .storeEmptied: true
    default: false
    }
  }

  /// It concerns the way to brokers, and no operator does it on purpose.
  var isFault: Bool {
    switch self {
    case .terminate, .terminateTwice, .upgrade, .killAgent, .powerCut, .crashAfterCommit, .crashBeforeCommit: false
    default: disturbs
    }
  }

  /// It may keep a device from being online, or its status from being right.
  var disturbs: Bool {
    switch self {
    case .storeFails, .storeFull, .storeHangs, .storeHangsThenFails, .sensorHangs, .edgeStorm, .homeAssistantBirth,
      .clock1970, .stepClock:
      false
    default: true
    }
  }
}
