import LimpetInstants

extension HomieLink {
  /// What is waited for on a connection.
  struct Due {
    /// Readings that a description names may take so long.
    var patienceEnds: BootClock.Instant?
    /// The connection has lasted.
    var stableAt: BootClock.Instant?
  }

  /// How far it is with a farewell.
  struct Ending {
    var isLeaving = false
    /// To the first server; it ends with the connection that is left.
    var isMoving = false
    /// nil: it is not saying `disconnected`.
    var leaveUntil: BootClock.Instant?
    var isOver = false
  }
}
