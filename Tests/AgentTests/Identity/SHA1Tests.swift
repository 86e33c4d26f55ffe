import Testing

@testable import LimpetText

struct SHA1Tests {
  @Test(
    "the examples of FIPS 180-4, and what Python's hashlib makes of a prefix of topics",
    arguments: [
      ("", "da39a3ee5e6b4b0d3255bfef95601890afd80709"),
      ("abc", "a9993e364706816aba3e25717850c26c9cd0d89d"),
      ("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", "84983e441c3bd26ebaae4aa1f95129e5e54670f1"),
      ("home/greenhouse", "50b9b7e88abc72c6a22bd9074396926c5c6657cc"),
    ])
  func examples(text: String, digest: String) {
    let digits = SHA1.hash(Array(text.utf8)).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    #expect(digits == digest)
  }
}
