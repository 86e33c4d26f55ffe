/// Random numbers that follow from their seed (Steele, Lea and Flood, "Fast splittable pseudorandom number generators",
/// 2014): a value that holds one behaves the same in every run. Not for secrets.
public struct SplitMix64: RandomNumberGenerator, Sendable, Hashable {
  private var state: UInt64

  /// Each seed has a sequence of its own, the same in every run and on every machine.
  public init(seed: UInt64) { state = seed }

  /// 64 bits, each value as likely as any other.
  public mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
    return mixed ^ (mixed >> 31)
  }
}
