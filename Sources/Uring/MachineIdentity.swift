import Bytes
import CLinux

/// What tells this machine from others, without a configuration.
public enum MachineIdentity {
  /// The host name, `edge` where there is none.
  public static var hostName: String {
    var bytes = [CChar](repeating: 0, count: 256)
    guard unsafe gethostname(&bytes, bytes.count - 1) == 0, bytes[0] != 0 else { return "edge" }
    return String(
      decoding: bytes.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  /// Names this start of the machine (random(4), `boot_id`); 0 where the kernel does not tell.
  public static var bootID: UInt64 {
    var hash = FNV1a()
    let id = (try? FileReading.readFile("/proc/sys/kernel/random/boot_id", limitBytes: 64)) ?? []
    if id.isEmpty { return 0 }
    unsafe hash.combine(id.span.bytes)
    return hash.value
  }

  /// Six hexadecimal digits that follow from `/etc/machine-id`, or from the host name where there
  /// is no such file. A hash, because the id itself should not leave the machine (machine-id(5)).
  public static var shortHash: String {
    var hash = FNV1a()
    // A machine without the file still gets a name that stays the same.
    let id = (try? FileReading.readFile("/etc/machine-id", limitBytes: 4_096)) ?? []
    let seed = id.isEmpty ? Array(hostName.utf8) : id
    unsafe hash.combine(seed.span.bytes)
    let digits = String(hash.value & 0xff_ffff, radix: 16)
    return String(repeating: "0", count: 6 - digits.count) + digits
  }
}
