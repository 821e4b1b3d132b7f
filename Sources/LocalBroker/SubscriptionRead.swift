import Spool

/// Records that a subscription gets from the disk: asked for, or at hand.
struct SubscriptionRead: BitwiseCopyable {
  let read: SpoolRead
  /// What was asked for.
  let offset: UInt64
  /// Where the topic's records ended then.
  let end: UInt64
  /// Whether they are at hand.
  var isReady = false
  /// The record that was looked at last.
  var place = SpoolRecordPlace()
}
