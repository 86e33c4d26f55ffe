import Testing

@testable import Agent

@Suite("Pages of the start")
struct StartupPagesTests {
  private let maps = """
    55d0c0000000-55d0c164e000 r-xp 00000000 fd:00 1234                       /usr/bin/limpet
    55d0c164e000-55d0c19a0000 rw-p 0164d000 fd:00 1234                       /usr/bin/limpet
    7f0000000000-7f0000100000 r-xp 00000000 fd:00 99                         /usr/lib/libc.so.6
    7f0000200000-7f0000201000 r-xp 00000000 00:00 0                          [vdso]
    7f0000300000-7f0000301000 r-xp 00000000 00:00 0
    """

  @Test("only the program's own code is given back: never what can be written, nor what belongs to others")
  func ownCode() {
    #expect(StartupPages.ranges(in: maps, of: "/usr/bin/limpet") == [0x55d0_c000_0000..<0x55d0_c164_e000])
    #expect(StartupPages.ranges(in: maps, of: "/usr/bin/other") == [])
    #expect(StartupPages.ranges(in: "no map\n-  r-xp 0 0 0 /x\n", of: "/x") == [])
  }

  @Test("a program that has given its pages back runs on")
  func runsOn() {
    StartupPages.release()
    #expect([3, 1, 2].sorted() == [1, 2, 3])
  }
}
