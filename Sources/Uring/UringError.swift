import CLinux

/// Why there is no io_uring for us. ``description`` is one message for a person: cause and remedy.
public enum UringError: Error, Equatable, Sendable {
  /// The kernel was built without io_uring, is older than it, or a sandbox plays such a kernel.
  case missing
  /// The kernel has io_uring and something forbids it. `sysctl` is `kernel.io_uring_disabled`
  /// (0 allowed, 1 for privileged groups only, 2 for nobody), nil when it can't be read.
  case forbidden(sysctl: Int?)
  /// The kernel's io_uring lacks what the gateway builds on; `feature` is the first thing missing.
  case tooOld(feature: String)
  /// Memory could not be had or locked.
  case outOfMemory
  /// No file descriptors are left, in the process or in the system.
  case outOfDescriptors
  /// A call failed in a way nobody expected. `call` names it, `code` is the error number.
  case failed(call: String, code: Int32)

  /// The error for a failed `call`; `code` is the positive error number and `sysctl` what
  /// `kernel.io_uring_disabled` says.
  public init(call: String, code: Int32, sysctl: Int?) {
    switch code {
    case ENOSYS: self = .missing
    case EPERM, EACCES: self = .forbidden(sysctl: sysctl)
    case EINVAL: self = .tooOld(feature: call)
    case ENOMEM: self = .outOfMemory
    case EMFILE, ENFILE: self = .outOfDescriptors
    default: self = .failed(call: call, code: code)
    }
  }
}

extension UringError: CustomStringConvertible {
  /// Cause and remedy, for the terminal and the log.
  public var description: String {
    switch self {
    case .missing:
      """
      this kernel has no io_uring (Linux 6.0 or later has it); remedy: boot a newer kernel, or one \
      with CONFIG_IO_URING=y; in a sandbox that plays the kernel (such as gVisor), run outside it
      """
    case .forbidden(let sysctl):
      Self.forbiddenMessage(sysctl: sysctl)
    case .tooOld(let feature):
      """
      this kernel's io_uring is too old (missing: \(feature)); remedy: Linux 6.0 or later, \
      6.1 or later is faster
      """
    case .outOfMemory:
      """
      io_uring got no memory: the limit of locked memory is too low, or memory is used up; \
      remedy: LimitMEMLOCK=64M in the systemd unit (`ulimit -l 65536` in a shell), or more memory
      """
    case .outOfDescriptors:
      """
      no file descriptors are left for io_uring; remedy: LimitNOFILE= in the systemd unit \
      (`ulimit -n` in a shell), at least the connections wanted plus 64
      """
    case .failed(let call, let code):
      "io_uring could not be set up: \(call) failed: \(KernelError.text(code)) (error \(code))"
    }
  }

  private static func forbiddenMessage(sysctl: Int?) -> String {
    switch sysctl {
    case .some(2):
      """
      io_uring is switched off here (kernel.io_uring_disabled = 2); remedy: \
      `sysctl -w kernel.io_uring_disabled=0`, and the same line in /etc/sysctl.d to keep it
      """
    case .some(1):
      """
      io_uring is for members of one group only here (kernel.io_uring_disabled = 1); remedy: put \
      the gateway's user into the group of kernel.io_uring_group, or \
      `sysctl -w kernel.io_uring_disabled=0`
      """
    default:
      """
      io_uring is blocked here, most likely by a container's seccomp profile (Docker and Podman \
      block it by default); remedy: a profile that allows io_uring_setup, io_uring_enter and \
      io_uring_register (`--security-opt seccomp=PROFILE.json`), or run outside the container
      """
    }
  }
}
