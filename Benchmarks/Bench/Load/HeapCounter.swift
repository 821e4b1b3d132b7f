import BenchLoad
import Glibc
import Uring

/// The library that counts a process's calls to the C heap (`Benchmarks/Baseline/HeapCount.c`),
/// made with the machine's C compiler when it is first wanted.
enum HeapCounter {
  /// Its path; nil where there is no compiler or no source, and nothing is counted then.
  static func library(in folder: String) -> String? {
    let library = "\(folder)/heap-count.so"
    let isMade = CCompiler.make(
      library, of: ["Benchmarks/Baseline/HeapCount.c"],
      ["-fno-omit-frame-pointer", "-shared", "-fPIC"])
    return isMade ? library : nil
  }

  /// What a bare loop of the bench has counted of itself so far.
  static func counts(_ file: String) -> (heapCalls: UInt64, systemCalls: UInt64)? {
    let words = words(of: file)
    return words.count > 4 ? (words[0], words[4]) : nil
  }

  /// Has the process note who calls, from now on.
  static func noteCallers(_ file: String) { unsafe _ = bench_write_counter(file, 1, 1) }

  /// Who called since then, most first, as text: the calls, the bytes of the last one, and the
  /// functions on the way there, innermost first. "" when nobody did.
  static func callers(_ file: String, of binary: String, folder: String) -> String {
    let words = words(of: file)
    guard words.count > 16 else { return "" }
    let base = words[2]
    let places = stride(from: 16, to: words.count - 15, by: 16).filter { words[$0] > 0 }
    var text = ""
    for place in places.sorted(by: { words[$0] > words[$1] }).prefix(12) {
      let frames = words[(place + 2)..<(place + 16)].prefix { $0 > 0 }
      // A return address is behind its call.
      let names = names(frames.map { $0 > base ? $0 - base - 1 : $0 }, in: binary, folder)
      text += "  \(words[place]) calls, the last of \(words[place + 1]) bytes\n"
      for name in names { text += "    \(name)\n" }
    }
    return text
  }

  private static func words(of file: String) -> [UInt64] {
    guard let bytes = try? FileReading.readFile(file, limitBytes: 1 << 20) else { return [] }
    return stride(from: 0, to: bytes.count - 7, by: 8).map { start in
      bytes[start..<start + 8].reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }
  }

  /// The functions at addresses of `binary`, by binutils and Swift's own tool; those of shared
  /// libraries are "??". The numbers themselves where there are no such tools.
  private static func names(
    _ addresses: [UInt64], in binary: String, _ folder: String
  ) -> [String] {
    let numbers = addresses.map { "0x" + String($0, radix: 16) }
    let log = "\(folder)/names-\(bench_now())"
    let command =
      "addr2line -fe '\(binary)' \(numbers.joined(separator: " ")) | sed -n '1~2p' "
      + "| swift demangle --simplified"
    do throws(BenchError) {
      let run = try ChildProcess("/bin/sh", ["-c", command], log: log)
      while run.isRunning { bench_sleep(5_000_000) }
    } catch {
      return numbers
    }
    guard let bytes = try? FileReading.readFile(log, limitBytes: 1 << 20), !bytes.isEmpty else {
      return numbers
    }
    return String(decoding: bytes, as: UTF8.self).split(separator: "\n").map(String.init)
  }
}
