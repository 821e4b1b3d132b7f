/// What systemd says about the stream that a service writes its log to.
public enum JournalStream {
  /// Whether `variable`, the value of `JOURNAL_STREAM` (`DEVICE:INODE` in decimal,
  /// systemd.exec(5)), names the file with these numbers. It is inherited by programs whose output
  /// goes elsewhere, so that its presence alone means nothing.
  public static func matches(_ variable: String, device: UInt64, inode: UInt64) -> Bool {
    variable == "\(device):\(inode)"
  }
}
