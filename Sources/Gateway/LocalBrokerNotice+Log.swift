import LocalBroker
import Logs

extension LocalBrokerNotice {
  /// How grave it is.
  var level: LogLevel {
    switch kind {
    case .recordsMissed, .callRejected: .warning
    case .recordsDamaged, .laneRefused: .error
    }
  }

  /// The event's name in the log.
  var event: StaticString {
    switch kind {
    case .recordsMissed: "broker.records_missed"
    case .recordsDamaged: "broker.records_damaged"
    case .laneRefused: "broker.topic_refused"
    case .callRejected: "broker.call_rejected"
    }
  }

  /// What happened, and what can be done about it.
  var message: StaticString {
    switch kind {
    case .recordsMissed:
      """
      a limit of the embedded broker, retain_bytes or retain_age_s, is reached: its oldest records \
      were dropped before the subscription had them
      """
    case .recordsDamaged:
      "records on the disk are damaged: the subscription does not get them; look at the disk"
    case .laneRefused:
      """
      the topic exists with the other dispatch strategy, or as partitions: the gateway's records \
      for it are refused
      """
    case .callRejected:
      "a client of the embedded broker called without a token that is good: it needs another one"
    }
  }
}
