import CFuzzer
import Glibc

// fuzz decoder|session|walk|servers|yaml|reader OPTION-OF-LIBFUZZER...; fuzz seeds DIRECTORY

@MainActor func fuzz(_ target: @convention(c) (UnsafePointer<UInt8>?, Int) -> CInt) -> CInt {
  var count = CommandLine.argc - 1
  // libFuzzer takes the first argument for the program's name.
  var arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? = CommandLine.unsafeArgv + 1
  return LLVMFuzzerRunDriver(&count, &arguments, target)
}

switch CommandLine.arguments.dropFirst().first {
case "seeds" where CommandLine.arguments.count == 3:
  for (number, seed) in DecoderFuzz.seeds.enumerated() {
    guard let file = fopen("\(CommandLine.arguments[2])/\(number)", "w") else { exit(1) }
    fwrite(seed, 1, seed.count, file)
    fclose(file)
  }
case "decoder":
  exit(
    fuzz { data, size in
      DecoderFuzz.run(UnsafeRawBufferPointer(start: data, count: size))
      return 0
    })
case "session":
  exit(
    fuzz { data, size in
      SessionFuzz.run(UnsafeRawBufferPointer(start: data, count: size))
      return 0
    })
case "walk":
  exit(
    fuzz { data, size in
      WalkFuzz.run(UnsafeRawBufferPointer(start: data, count: size))
      return 0
    })
case "servers":
  exit(
    fuzz { data, size in
      WalkFuzz.servers(UnsafeRawBufferPointer(start: data, count: size))
      return 0
    })
case "yaml":
  exit(
    fuzz { data, size in
      YAMLFuzz.run(UnsafeRawBufferPointer(start: data, count: size))
      return 0
    })
case "reader":
  exit(
    fuzz { data, size in
      ReaderFuzz.run(UnsafeRawBufferPointer(start: data, count: size))
      return 0
    })
default:
  print("usage: fuzz decoder|session|walk|servers|yaml|reader OPTION..., fuzz seeds DIRECTORY")
  exit(64)
}
