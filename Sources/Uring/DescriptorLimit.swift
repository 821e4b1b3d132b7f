import CLinux

/// How many descriptors the process may have open (RLIMIT_NOFILE).
public enum DescriptorLimit {
  /// Raises the soft limit to the hard one and tells what it is then; `Int.max` when it is not
  /// known.
  public static func raise() -> Int {
    var limit = rlimit()
    guard unsafe clinux_get_descriptor_limit(&limit) == 0 else { return .max }
    if limit.rlim_cur < limit.rlim_max {
      var raised = limit
      raised.rlim_cur = limit.rlim_max
      if unsafe clinux_set_descriptor_limit(&raised) == 0 { limit = raised }
    }
    return Int(clamping: limit.rlim_cur)
  }
}
