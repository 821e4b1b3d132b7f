import BenchLoad
import Glibc

/// The machine's C compiler, for what is not part of the build: a library that is preloaded, and
/// peers whose libraries need not be there.
enum CCompiler {
  /// Makes `output` of files of the package; false where there is no compiler, no source, or no
  /// library that it needs. What it says goes to `output`.log.
  static func make(_ output: String, of sources: [String], _ flags: [String]) -> Bool {
    if unsafe access(output, R_OK) == 0 { return true }
    guard let compiler = find() else { return false }
    var files: [String] = []
    for source in sources {
      guard let path = Executable.packageFile(source) else { return false }
      files.append(path)
    }
    do throws(BenchError) {
      // Libraries come behind what needs them.
      let run = try ChildProcess(
        compiler, ["-O2", "-o", output] + files + flags, log: "\(output).log")
      while run.isRunning { bench_sleep(5_000_000) }
    } catch {
      return false
    }
    return unsafe access(output, R_OK) == 0
  }

  /// The first compiler of PATH; Swift comes with one.
  private static func find() -> String? {
    guard let list = unsafe getenv("PATH") else { return nil }
    let folders = unsafe String(cString: list).split(separator: ":")
    for name in ["cc", "gcc", "clang"] {
      for folder in folders where unsafe access("\(folder)/\(name)", X_OK) == 0 {
        return "\(folder)/\(name)"
      }
    }
    return nil
  }
}
