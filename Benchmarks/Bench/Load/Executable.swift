import Glibc
import Uring

/// Where the bench and what belongs to it are.
enum Executable {
  /// The bench itself.
  static let bench: String = {
    var bytes = [CChar](repeating: 0, count: 4_096)
    let count = unsafe readlink("/proc/self/exe", &bytes, bytes.count - 1)
    guard count > 0 else { return "/proc/self/exe" }
    return String(decoding: bytes[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }()

  private static func folder(of path: String) -> String {
    path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
  }

  /// The gateway under test. The build puts it beside the bench; `BENCH_GATEWAY` names another one.
  static func gateway() throws(BenchError) -> String {
    if let named = unsafe getenv("BENCH_GATEWAY"), unsafe named.pointee != 0 {
      return unsafe String(cString: named)
    }
    let path = folder(of: bench) + "/danube-gateway"
    guard unsafe access(path, X_OK) == 0 else {
      throw .failed(
        "there is no \(path): build it by `swift build -c release --product danube-gateway`")
    }
    return path
  }

  /// A file of the package; nil when the bench is not in it.
  static func packageFile(_ name: String) -> String? {
    var place = folder(of: bench)
    while !place.isEmpty, place != "." {
      if unsafe access("\(place)/\(name)", R_OK) == 0 { return "\(place)/\(name)" }
      place = folder(of: place)
    }
    return nil
  }
}
