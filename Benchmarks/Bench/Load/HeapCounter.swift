import BenchLoad
import Glibc

/// The library that counts a process's calls to the C heap (`scripts/heap-count.c`), made with the
/// machine's C compiler when it is first wanted.
enum HeapCounter {
  /// Its path; nil where there is no compiler or no source, and nothing is counted then.
  static func library(in folder: String) -> String? {
    let library = "\(folder)/heap-count.so"
    if unsafe access(library, R_OK) == 0 { return library }
    guard let source = Executable.packageFile("scripts/heap-count.c") else { return nil }
    let compilers: [String] = ["/usr/bin/cc", "/usr/bin/gcc", "/usr/bin/clang"]
    guard let compiler = compilers.first(where: { unsafe access($0, X_OK) == 0 }) else {
      return nil
    }
    do throws(BenchError) {
      let run = try ChildProcess(
        compiler, ["-O2", "-shared", "-fPIC", "-o", library, source], log: "\(folder)/cc.log")
      while run.isRunning { bench_sleep(5_000_000) }
    } catch {
      return nil
    }
    return unsafe access(library, R_OK) == 0 ? library : nil
  }
}
